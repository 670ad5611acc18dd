/**
 * Stand-in for `@std/testing/types` where the JSR registry cannot be reached: the names our tests
 * use, and nothing more.
 *
 * @module
 */

/** Fails to compile unless `T` is what is passed; does nothing when run. */
export function assertType<T extends boolean>(_expectTrue: T): void {}

/** `true` when the two types are the same, optional and readonly members included. */
export type IsExact<T, U> = (<V>() => V extends T ? 1 : 2) extends (<V>() => V extends U ? 1 : 2)
  ? true
  : false;

/** `true` when `T`, or a part of the union `T`, can be assigned to `U`. */
export type Has<T, U> = [Extract<T, U>] extends [never] ? false : true;
