/**
 * A lock that is one word of shared memory: 0 free, 1 held, 2 held and waited for (U. Drepper,
 * "Futexes Are Tricky", 2011, mutex 2). Free and undisputed it costs one exchange to take and one
 * to give back, and nobody enters the system's queue.
 *
 * @module
 */

const FREE = 0, HELD = 1, WAITED_FOR = 2;

/** Looks before a thread goes to sleep: some microseconds, about as long as a lock is held. */
const SPINS = 100;

/**
 * Looks of a thread that may not sleep, before it gives up: about a second. Such a thread has no
 * clock here either.
 */
const PATIENT_SPINS = 2 ** 26;

/**
 * Takes the lock at `words[at]`; false when it was not given up for `timeoutMs`. Whoever waits
 * longer because others were faster is not counted out.
 *
 * @param canWait Whether this thread may sleep; if not, it spins.
 */
export function lock(words: Int32Array, at: number, canWait: boolean, timeoutMs: number): boolean {
  if (Atomics.compareExchange(words, at, FREE, HELD) === FREE) return true;
  return canWait ? lockBySleeping(words, at, timeoutMs) : lockBySpinning(words, at, PATIENT_SPINS);
}

/** Gives the lock at `words[at]` back. */
export function unlock(words: Int32Array, at: number): void {
  if (Atomics.exchange(words, at, FREE) === WAITED_FOR) Atomics.notify(words, at, 1);
}

function lockBySpinning(words: Int32Array, at: number, spins: number): boolean {
  for (; spins > 0; spins--) {
    // A look leaves the cache line with the holder, where an exchange would take it away.
    if (Atomics.load(words, at) !== FREE) continue;
    if (Atomics.compareExchange(words, at, FREE, HELD) === FREE) return true;
  }
  return false;
}

function lockBySleeping(words: Int32Array, at: number, timeoutMs: number): boolean {
  if (lockBySpinning(words, at, SPINS)) return true;
  // Whoever comes out of the queue cannot know whether it is empty, so it leaves WAITED_FOR there.
  while (Atomics.exchange(words, at, WAITED_FOR) !== FREE) {
    if (Atomics.wait(words, at, WAITED_FOR, timeoutMs) === "timed-out") return false;
  }
  return true;
}

/** Whether this thread may sleep: a browser's main thread may not. */
export function mayWait(words: Int32Array, at: number): boolean {
  try {
    // Refused before the values are compared; where it is allowed, they differ and it returns.
    Atomics.wait(words, at, ~Atomics.load(words, at), 0);
    return true;
  } catch {
    return false;
  }
}
