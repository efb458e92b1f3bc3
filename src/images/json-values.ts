/**
 * How many values a JSON document has, before it is read: each takes many times the memory and the time of its text.
 *
 * @module
 */
import { endOfString } from './json-strings.ts';

/** What each member and each item of a list is preceded by. */
const BEFORE_VALUES = new Set([...'[{,'].map((character) => character.charCodeAt(0)));
const QUOTE = 0x22;

/** At least as many as there are, and never many more; of any text. */
export function countValues(text: string): number {
  let count = 1;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (BEFORE_VALUES.has(code)) count += 1;
  }
  return count;
}
