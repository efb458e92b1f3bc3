/**
 * Stand-ins for certificates in an envelope, whose reader checks only their outermost header.
 *
 * @module
 */

export const VCEK = Uint8Array.of(0x30, 1, 2);
export const VLEK = Uint8Array.of(0x30, 1, 3);
export const ASK = Uint8Array.of(0x30, 1, 4);
export const ARK = Uint8Array.of(0x30, 1, 5);

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
