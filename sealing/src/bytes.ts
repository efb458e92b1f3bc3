/**
 * Joining, comparing and writing down bytes.
 *
 * @module
 */

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * A copy of bytes from outside, made before the first read: the checked bytes are the used bytes.
 *
 * @throws TypeError for anything but a Uint8Array
 */
export function ownedBytes(value: unknown, what: string): Bytes {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array`);
  return new Uint8Array(value);
}

export function concat(parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Each item follows its length, 32 bits, big-endian: no two lists give the same bytes. */
export function lengthPrefixed(items: readonly (string | Uint8Array)[]): Bytes {
  return concat(
    items.flatMap((item) => {
      const bytes = typeof item === 'string' ? new TextEncoder().encode(item) : item;
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, bytes.length);
      return [length, bytes];
    }),
  );
}

/** Public values alone are compared: it takes less time where they differ early. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
