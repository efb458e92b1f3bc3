/**
 * Joins byte strings unambiguously: each follows its length, 32 bits, big-endian.
 *
 * @module
 */

/** The bytes that are hashed or signed where several values have to be covered. */
export function lengthPrefixed(items: readonly (string | Uint8Array)[]): Uint8Array {
  return Buffer.concat(
    items.flatMap((item) => {
      const bytes = typeof item === 'string' ? Buffer.from(item, 'utf8') : item;
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}
