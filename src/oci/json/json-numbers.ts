/**
 * Finds numbers in a JSON document beyond the range of doubles, which `JSON.parse` makes infinite.
 *
 * @module
 */
import { endOfString } from './json-strings.ts';

const QUOTE = 0x22;
const ZERO = 0x30;
const NINE = 0x39;
const NUMBER = /[0-9.eE+-]+/y;
/** No double without an exponent is longer in front of its point. */
const MAX_DIGITS = 308;

/**
 * The first number that is not finite as a double, as it is written. Undefined where there is none.
 *
 * @param text what `JSON.parse` accepts
 */
export function infiniteNumber(text: string): string | undefined {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code >= ZERO && code <= NINE) {
      NUMBER.lastIndex = at;
      const [number = ''] = NUMBER.exec(text) ?? [];
      if (isLong(number) && !Number.isFinite(Number(number))) return number;
      at += number.length - 1;
    }
  }
  return undefined;
}

function isLong(number: string): boolean {
  return number.length > MAX_DIGITS || /e/i.test(number);
}
