/**
 * Purposes: what a sealed value is for. Each has keys of its own.
 *
 * @module
 */

/** The longest purpose, in characters. */
export const MAX_PURPOSE = 64;
const PURPOSE = /^[a-z0-9][a-z0-9._/-]{0,63}$/;

/** Whether a text can be a purpose: lower-case letters, digits, `.`, `_`, `/` and `-`. */
export function isPurpose(text: string): boolean {
  return PURPOSE.test(text);
}
