/**
 * The errors of the whole library. Results are numbers and exceptions are for mistakes: a request
 * that fails reports a negative errno in its completion, and only a set-up or a promise throws one
 * of these.
 *
 * @module
 */

/** Error numbers as Linux and io_uring give them; completions carry them negated. */
export const ERRNO: {
  readonly EPERM: 1;
  readonly ENOENT: 2;
  readonly EINTR: 4;
  readonly EIO: 5;
  readonly EBADF: 9;
  readonly EAGAIN: 11;
  readonly ENOMEM: 12;
  readonly EACCES: 13;
  readonly EBUSY: 16;
  readonly EINVAL: 22;
  readonly ENFILE: 23;
  readonly EMFILE: 24;
  readonly ENOSPC: 28;
  readonly ENOSYS: 38;
  readonly EBADMSG: 74;
  readonly ETIMEDOUT: 110;
  readonly ECANCELED: 125;
} = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOSPC: 28,
  ENOSYS: 38,
  EBADMSG: 74,
  ETIMEDOUT: 110,
  ECANCELED: 125,
};

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(ERRNO).map(([name, number]) => [number, name]),
);

/** "EIO (5)" for 5; "errno 12345" for a number without a name here. */
export function errnoName(errno: number): string {
  const name = NAMES[errno];
  return name === undefined ? `errno ${errno}` : `${name} (${errno})`;
}

/**
 * The positive Linux error number of what `node:fs` threw: by name, as numbers differ between
 * systems. EIO where the name is not one of {@linkcode ERRNO}.
 */
export function errnoOf(error: unknown): number {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && Object.hasOwn(ERRNO, code)
    ? ERRNO[code as keyof typeof ERRNO]
    : ERRNO.EIO;
}

/** A device could not be set up, or a promise over a device failed. */
export class DeviceError extends Error {
  /** The name of the class. */
  override readonly name = "DeviceError";
  /** The positive error number, as in errno(3). */
  readonly errno: number;

  /** `message` in the grammar "Cannot VERB THING: reason"; the errno's name is appended. */
  constructor(message: string, errno: number) {
    super(`${message}: ${errnoName(errno)}`);
    this.errno = errno;
  }
}

/** A kernel target or an io_uring is not to be had here; the message says why. */
export class UnsupportedTargetError extends Error {
  /** The name of the class. */
  override readonly name = "UnsupportedTargetError";
}
