/**
 * Stand-in for `@std/assert` where the JSR registry cannot be reached: the names and signatures
 * our tests use, on top of `node:assert`, and nothing more.
 *
 * @module
 */

import { AssertionError, deepStrictEqual, notDeepStrictEqual } from "node:assert";

type ErrorClass<E extends Error = Error> = abstract new (...args: never[]) => E;

/** Assert that `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) {
    throw new AssertionError({ message: msg, actual: expr, expected: true, operator: "==" });
  }
}

/** Assert that two values are deeply equal: arrays, typed arrays, maps, sets, and plain objects. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  withPrefix(msg, () => deepStrictEqual(actual, expected));
}

/** Assert that two values are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  withPrefix(msg, () => notDeepStrictEqual(actual, expected));
}

/** Assert that two values are the same by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  // `String` rather than an inspection: values that look alike but differ by identity stay apart.
  const message = `Values are not strictly equal: ${String(actual)}, expected ${String(expected)}`;
  throw new AssertionError({ message: prefixed(msg, message), actual, expected, operator: "===" });
}

/** Assert that `actual` holds the text `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (actual.includes(expected)) return;
  const message = `Expected actual: "${actual}" to contain: "${expected}"`;
  throw new AssertionError({ message: prefixed(msg, message), actual, expected });
}

/** Assert that two numbers differ by at most `tolerance` (default: 1e-7 of the expected value). */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const bound = tolerance ?? (isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (Math.abs(expected - actual) <= bound) return;
  const message = `Expected actual: "${actual}" to be close to "${expected}" (within ${bound})`;
  throw new AssertionError({ message: prefixed(msg, message), actual, expected });
}

/** Assert that `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Assert that `fn` throws an `ErrorClass` whose message holds `msgIncludes`; returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: ErrorClass | string,
  includesOrMsg?: string,
  msg?: string,
): unknown {
  const expected = expectation(classOrMsg, includesOrMsg, msg);
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    return checked(thrown, expected);
  }
  throw new AssertionError({ message: prefixed(expected.msg, "Expected function to throw.") });
}

/** Assert that `fn` rejects; resolves to what it rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Assert that `fn` rejects with an `ErrorClass` whose message holds `msgIncludes`. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass | string,
  includesOrMsg?: string,
  msg?: string,
): Promise<unknown> {
  const expected = expectation(classOrMsg, includesOrMsg, msg);
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
    await promise;
  } catch (error) {
    // A throw before the promise exists is a mistake of the caller, as with the original.
    if (promise === undefined) {
      const message = "Function throws when expected to reject.";
      throw new AssertionError({ message: prefixed(expected.msg, message), actual: error });
    }
    return checked(error, expected);
  }
  throw new AssertionError({ message: prefixed(expected.msg, "Expected function to reject.") });
}

interface Expectation {
  ErrorClass: ErrorClass | undefined;
  includes: string | undefined;
  msg: string | undefined;
}

function expectation(
  classOrMsg: ErrorClass | string | undefined,
  includesOrMsg: string | undefined,
  msg: string | undefined,
): Expectation {
  if (typeof classOrMsg === "string" || classOrMsg === undefined) {
    return { ErrorClass: undefined, includes: undefined, msg: classOrMsg };
  }
  return { ErrorClass: classOrMsg, includes: includesOrMsg, msg };
}

function checked(thrown: unknown, { ErrorClass, includes, msg }: Expectation): unknown {
  if (ErrorClass === undefined) return thrown;
  if (!(thrown instanceof Error)) {
    const message = `A non-Error object was thrown or rejected: ${String(thrown)}`;
    throw new AssertionError({ message: prefixed(msg, message), actual: thrown });
  }
  const { message: text, constructor: { name } } = thrown;
  if (!(thrown instanceof ErrorClass)) {
    const message = `Expected error to be instance of "${ErrorClass.name}", but was "${name}"`;
    throw new AssertionError({ message: prefixed(msg, `${message}: ${text}`), actual: thrown });
  }
  if (includes !== undefined && !text.includes(includes)) {
    const message = `Expected error message to include "${includes}", but got "${text}"`;
    throw new AssertionError({ message: prefixed(msg, message), actual: thrown });
  }
  return thrown;
}

function withPrefix(msg: string | undefined, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (msg !== undefined && error instanceof Error) error.message = prefixed(msg, error.message);
    throw error;
  }
}

function prefixed(msg: string | undefined, message: string): string {
  return msg === undefined ? message : `${msg}: ${message}`;
}
