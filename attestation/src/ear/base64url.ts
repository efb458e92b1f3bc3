/**
 * Base64url without padding, as tokens have it (RFC 7515, section 2).
 *
 * @module
 */
import { fromBase64 } from '../envelopes/encodings/base64.ts';

/** The bytes of such text, undefined for anything else. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  return /^[A-Za-z0-9_-]*$/.test(text) ? fromBase64(text) : undefined;
}

export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** With the standard alphabet and padding. */
export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
