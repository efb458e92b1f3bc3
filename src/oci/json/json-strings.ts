/**
 * Strings in the text of a JSON document, found without a regular expression: one for strings runs
 * out of stack on some megabytes.
 *
 * @module
 */

const BACKSLASH = 0x5c;

/**
 * Where the string that begins at `start` has its closing quote; the end of the text where it has
 * none.
 */
export function endOfString(text: string, start: number): number {
  for (let end = start; ; ) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    // An even number of backslashes escape each other, so the quote ends the string.
    if (backslashes % 2 === 0) return end;
  }
}
