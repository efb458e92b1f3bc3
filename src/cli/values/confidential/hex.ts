/**
 * Hexadecimal numbers, copied from a report or a specification.
 *
 * @module
 */

/**
 * Exactly `size` bytes: nothing is padded or cut, since a shorter value would match another one.
 *
 * @throws RangeError for any other text
 */
export function parseHexBytes(text: string, size: number): Uint8Array {
  const digits = size * 2;
  if (!/^[0-9a-fA-F]*$/.test(text) || text.length !== digits) {
    throw new RangeError(
      `it takes exactly ${digits} hexadecimal digits (${size} bytes, neither padded nor cut), not ${describe(text)}`,
    );
  }
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/**
 * A number of at most 64 bits, such as `0x21` or `21`; both are hexadecimal.
 *
 * @throws RangeError for any other text
 */
export function parseHexNumber(text: string): bigint {
  const digits = /^(?:0x)?([0-9a-fA-F]{1,16})$/.exec(text)?.[1];
  if (digits === undefined) {
    throw new RangeError('it takes 1 to 16 hexadecimal digits, with or without 0x');
  }
  return BigInt(`0x${digits}`);
}

function describe(text: string): string {
  return /^[0-9a-fA-F]*$/.test(text) ? `${text.length}` : 'other characters';
}
