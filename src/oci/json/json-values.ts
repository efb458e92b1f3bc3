/**
 * Counts the values of a JSON document in its text. A value takes many times the memory and time of
 * its text, and checking an object of very many members takes longer than reading it.
 *
 * @module
 */
import { endOfString } from './json-strings.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPENING = new Set([...'[{'].map((character) => character.charCodeAt(0)));
const CLOSING = new Set([...']}'].map((character) => character.charCodeAt(0)));

export interface JsonSize {
  /**
   * Members and items of lists, at all depths: at least as many as there are, and never many more.
   */
  readonly values: number;
  /** How deep lists and objects lie within one another. */
  readonly depth: number;
}

/** Accepts any text, whether it is JSON or not. */
export function jsonSize(text: string): JsonSize {
  let values = 1;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === COMMA) values += 1;
    else if (OPENING.has(code)) {
      values += 1;
      depth += 1;
      deepest = Math.max(deepest, depth);
    } else if (CLOSING.has(code)) depth -= 1;
  }
  return { values, depth: deepest };
}
