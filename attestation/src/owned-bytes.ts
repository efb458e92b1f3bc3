/**
 * Input bytes that the caller cannot change any more.
 *
 * @module
 */

/**
 * A copy of bytes from outside.
 *
 * Copied before the first read, so that the checked bytes are the used bytes, even where the
 * caller's bytes are shared with another thread.
 *
 * @throws TypeError for anything but a Uint8Array (a Node.js Buffer is one)
 */
export function ownedBytes(value: unknown, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array`);
  return new Uint8Array(value);
}
