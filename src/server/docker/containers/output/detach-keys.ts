/**
 * Docker's notation of detach keys: letters, and `ctrl-` with a letter or one of `@[\]^_`,
 * separated by commas.
 *
 * @module
 */
import { A3sError } from '../../../../errors.ts';

const DEFAULT = 'ctrl-p,ctrl-q';
const CONTROL_MASK = 0x1f;

/** @throws A3sError `invalid-argument` */
export function parseDetachKeys(text: string | undefined): Uint8Array {
  const keys = (text || DEFAULT).split(',').map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key);
    const letter = control?.[1] ?? key;
    const code = letter.toUpperCase().charCodeAt(0);
    if (control !== null) return code & CONTROL_MASK;
    if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw new A3sError('invalid-argument', `Invalid detach keys (${key.slice(0, 32)}) provided`);
  });
  return Uint8Array.from(keys);
}
