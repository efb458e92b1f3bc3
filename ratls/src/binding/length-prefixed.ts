/**
 * Several byte strings as one that can be read in one way only: each behind its length, 32 bits, big-endian.
 *
 * @module
 */

/** What is hashed or signed where more than one value has to be covered. */
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
