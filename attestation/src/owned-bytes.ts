/**
 * Input bytes that nobody else can change.
 *
 * @module
 */

/**
 * A copy of bytes from outside.
 *
 * Taken before the first look, so that what is checked is what is used, even where the caller's
 * bytes are shared with another thread.
 *
 * @throws TypeError for anything but a Uint8Array (a Node.js Buffer is one)
 */
export function ownedBytes(value: unknown, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array`);
  return new Uint8Array(value);
}
