/**
 * Hexadecimal input of the certificate builders.
 *
 * @module
 */
import { fromHex } from '../hex.ts';

/** @throws {TypeError} for anything but whole octets. */
export function hexBytes(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new TypeError(`${JSON.stringify(text)} is not hexadecimal`);
  return bytes;
}
