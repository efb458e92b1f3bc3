/**
 * Breaks one paragraph of prose into lines.
 *
 * @module
 */

/** Columns of a line of prose. */
export const COLUMNS = 100;

/** Columns of a tab. */
const TAB = 4;

/** A longer one is no code span: a quotation mark is missing. */
const MOST_SPAN = 400;

export function widthOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += character === '\t' ? TAB : 1;
  return columns;
}

/** What would begin another block or a directive, or be a tag, at the start of a line. */
const STARTS_BLOCK =
  /^(?:[-*+]$|[-=]+$|\d+[.)]$|#{1,6}$|[@>|<~]|```|\*\/|biome-|eslint|prettier-|ts-|v8$|c8$|istanbul|go:|nolint|shellcheck|Output:|Deprecated:)/;

/**
 * Words, in which no line is broken: code spans and `{@link}` are words. What may not begin a line
 * belongs to the word before it.
 */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const [found] of text.matchAll(/(?:`[^`]+`|\{@[^}]*\}|\S)+/g)) {
    for (const word of found.length > MOST_SPAN ? found.split(' ') : [found]) {
      const before = words.at(-1);
      if (before !== undefined && STARTS_BLOCK.test(word)) words[words.length - 1] += ` ${word}`;
      else words.push(word);
    }
  }
  return words;
}

/**
 * Fills lines with the words of a text.
 *
 * @param first what the first line begins with
 * @param rest what every other line begins with
 * @param columns of a line; a word that is longer has a line of its own
 */
export function wrapWords(text: string, first: string, rest: string, columns: number): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of wordsOf(text)) {
    if (!empty && widthOf(`${line} ${word}`) > columns) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line];
}
