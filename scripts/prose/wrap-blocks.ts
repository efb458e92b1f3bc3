/**
 * Wraps the paragraphs of a text: a Markdown document, or what a comment says.
 *
 * A paragraph is left alone unless one of its lines is too long. Code, tables, drawings, headings
 * and directives are always left alone.
 *
 * @module
 */
import { widthOf, wrapWords } from './wrap-words.ts';

const FENCE = /^\s*(?:```|~~~)/;
const TAG = /^@\w+/;
const EXAMPLE = /^@example\b/;

/** Lines that are no prose. */
const NO_PROSE = [
  /^\s*\|/,
  /^\s*>/,
  /^#{1,6} /,
  /^\s*<[\w!/]/,
  /^\s*\[[^\]]+\]: /,
  /[\u2500-\u257f\u25a0-\u25ff]/,
  /[-=─*]{3,}/,
  /\S(?: {2,}|\t)\S/,
  /(?: {2}|\\)$/,
  /^\s*(?:biome-|eslint|prettier-|@ts-|v8 |c8 |istanbul|@vitest|go:|nolint|shellcheck|#region|#endregion|SPDX-|Code generated|Output:|Unordered output:)/,
];

interface Start {
  /** What the paragraph begins with: an indentation, and perhaps the mark of a list. */
  readonly first: string;
  readonly isList: boolean;
  readonly isTag: boolean;
}

export const isProse = (line: string): boolean => !NO_PROSE.some((pattern) => pattern.test(line));
const indentOf = (line: string): number => line.length - line.trimStart().length;

function startOf(line: string, tags: boolean): Start {
  const [first = ''] = /^\s*(?:(?:[-*+•]|\d+[.)]) +)?/.exec(line) ?? [];
  return { first, isList: first.trim() !== '', isTag: tags && TAG.test(line) };
}

/** The lines that continue a paragraph. */
function restOf(lines: readonly string[], from: number, start: Start, tags: boolean): string[] {
  const found: string[] = [];
  const own = start.isList ? start.first.length : indentOf(start.first);
  for (const line of lines.slice(from)) {
    if (line.trim() === '' || FENCE.test(line) || !isProse(line)) break;
    const next = startOf(line, tags);
    if (next.isList || next.isTag) break;
    const indent = indentOf(line);
    const expected = start.isTag ? indentOf(found[0] ?? line) : own;
    if (indent !== expected && !(start.isList && indent === 0 && !tags)) break;
    found.push(line);
  }
  return found;
}

/**
 * @param lines without the marks of the comment
 * @param columns of a line
 * @param tags whether `@word` at the start of a line is a tag
 */
export function wrapBlocks(lines: readonly string[], columns: number, tags: boolean): string[] {
  const out: string[] = [];
  let verbatim: 'fence' | 'example' | 'html' | undefined;
  /** The columns at which paragraphs of the lists before begin. */
  let inLists: number[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? '';
    at += 1;
    if (verbatim !== 'html' && FENCE.test(line)) {
      verbatim = verbatim === 'fence' ? undefined : 'fence';
      out.push(line);
      continue;
    }
    if (tags && verbatim !== 'fence' && TAG.test(line)) {
      verbatim = EXAMPLE.test(line) ? 'example' : undefined;
    }
    if (verbatim === undefined && line.includes('<!--')) verbatim = 'html';
    if (verbatim !== undefined || line.trim() === '' || !isProse(line)) {
      if (verbatim === 'html' && line.includes('-->')) verbatim = undefined;
      out.push(line);
      continue;
    }
    const start = startOf(line, tags);
    const { first, isList } = start;
    const known = isList || first === '' || inLists.includes(first.length);
    if (isList) inLists = [...inLists.filter((column) => column < first.length), first.length];
    else if (first === '') inLists = [];
    const rest = known ? restOf(lines, at, start, tags) : [];
    at += rest.length;
    const paragraph = [line, ...rest];
    if (!known || paragraph.every((each) => widthOf(each) <= columns)) {
      out.push(...paragraph);
      continue;
    }
    const text = [line.slice(first.length), ...rest.map((each) => each.trim())].join(' ');
    const hanging = isList ? ' '.repeat(first.length) : first;
    const behind = start.isTag ? ' '.repeat(indentOf(rest[0] ?? '')) : hanging;
    out.push(...wrapWords(text, first, behind, columns));
  }
  return out;
}
