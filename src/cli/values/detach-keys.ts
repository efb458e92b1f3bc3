/**
 * The key sequence that leaves an attached terminal: `ctrl-p,ctrl-q`, `a,b`, `ctrl-@`.
 *
 * @module
 */

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

/** @throws RangeError for an unknown key */
export function parseDetachKeys(text: string): Buffer {
  if (text === '') return Buffer.alloc(0);
  return Buffer.from(
    text.split(',').map((key) => {
      const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
      if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
      if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
      throw new RangeError(`unknown character: '${key}'`);
    }),
  );
}
