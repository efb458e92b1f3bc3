/**
 * Base64 as JSON envelopes have it (RFC 4648): either alphabet, with padding or without.
 *
 * @module
 */
const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const VALUES: ReadonlyMap<string, number> = new Map([
  ...Array.from(STANDARD, (digit, value): [string, number] => [digit, value]),
  ['-', 62],
  ['_', 63],
]);

/**
 * The bytes of base64 text, undefined for anything else.
 *
 * Refuses foreign characters, white space, a digit too many or too few, padding that is not exactly
 * what is missing, digits of both alphabets, and bits behind the last byte.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  const digits = withoutPadding(text);
  if (digits === undefined || (/[+/]/.test(digits) && /[-_]/.test(digits))) return undefined;
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    const value = VALUES.get(digit);
    if (value === undefined) return undefined;
    held = (held << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >>> bits;
      held &= (1 << bits) - 1;
    }
  }
  return held === 0 ? bytes : undefined;
}

function withoutPadding(text: string): string | undefined {
  const digits = text.replace(/={1,2}$/, '');
  if (digits.length % 4 === 1) return undefined;
  return digits.length === text.length || text.length % 4 === 0 ? digits : undefined;
}
