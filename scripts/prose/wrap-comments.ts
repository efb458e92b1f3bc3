/**
 * Wraps the comments of a source file that have lines to themselves.
 *
 * @module
 */
import type { Range } from './find-comments.ts';
import { isProse, wrapBlocks } from './wrap-blocks.ts';
import { COLUMNS, widthOf } from './wrap-words.ts';

/** Lines of a file, by number from 0, and what takes their place. */
interface Change {
  readonly from: number;
  readonly to: number;
  readonly lines: readonly string[];
}

/** A tag in the middle of a comment that has one line. */
const INNER_TAG = /\s+(?=@(?:param|returns|throws|see|deprecated|internal|module|template)\b)/;

/** @param comments in their order */
export function wrapComments(text: string, comments: readonly Range[]): string {
  const lines = text.split('\n');
  const changes: Change[] = [];
  let run: Range[] = [];
  const ends = lineStarts(text);
  const rowOf = (offset: number): number => rowAt(ends, offset);
  const endRun = (): void => {
    const [head] = run;
    if (head !== undefined) changes.push(wrapRun(lines, rowOf(head.start), run.length));
    run = [];
  };
  for (const comment of comments) {
    const [from, to] = [rowOf(comment.start), rowOf(comment.end)];
    const alone = isAlone(text, comment);
    const isBlock = text.startsWith('/*', comment.start);
    const before = run.at(-1);
    const follows =
      before !== undefined &&
      rowOf(before.start) === from - 1 &&
      indentOf(lines[from - 1]) === indentOf(lines[from]);
    if (!alone || isBlock || !follows) endRun();
    if (alone && !isBlock) run.push(comment);
    if (alone && isBlock) changes.push(wrapBlock(lines, from, to));
  }
  endRun();
  for (const { from, to, lines: made } of changes.reverse()) {
    lines.splice(from, to - from + 1, ...made);
  }
  return lines.join('\n');
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** The row of the last start that is not behind an offset. */
function rowAt(starts: readonly number[], offset: number): number {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

function isAlone(text: string, { start, end }: Range): boolean {
  const before = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  const behind = text.slice(end, (text.indexOf('\n', end) + text.length + 1) % (text.length + 1));
  return before.trim() === '' && behind.trim() === '';
}

const indentOf = (line = ''): string => /^\s*/.exec(line)?.[0] ?? '';

/** Lines that each begin with `//` or `#`. What has no blank after the mark is a directive. */
function wrapRun(lines: readonly string[], from: number, count: number): Change {
  const to = from + count - 1;
  const indent = indentOf(lines[from]);
  const found = lines.slice(from, to + 1);
  const mark = found[0]?.startsWith('#', indent.length) ? '#' : '//';
  const room = COLUMNS - widthOf(indent) - mark.length - 1;
  const made: string[] = [];
  let prose: string[] = [];
  const endProse = (): void => {
    const wrapped = wrapBlocks(prose, room, false);
    made.push(...wrapped.map((text) => `${indent}${mark} ${text}`.trimEnd()));
    prose = [];
  };
  for (const line of found) {
    const said = line.slice(indent.length + mark.length);
    if (said === '' || said.startsWith(' ')) {
      prose.push(said.slice(1));
    } else {
      endProse();
      made.push(line);
    }
  }
  endProse();
  return { from, to, lines: made };
}

/** A comment between `/*` and its end: in one line, or in lines that each begin with `*`. */
function wrapBlock(lines: readonly string[], from: number, to: number): Change {
  const found = lines.slice(from, to + 1);
  const same = { from, to, lines: found };
  if (found.every((line) => widthOf(line) <= COLUMNS)) return same;
  const indent = indentOf(found[0]);
  const room = COLUMNS - widthOf(indent) - 3;
  const open = /^\s*(\/\*\*?)/.exec(found[0] ?? '')?.[1] ?? '/*';
  const inside = found.length === 1 ? oneLine(found[0] ?? '') : manyLines(found, indent);
  if (inside === undefined) return same;
  const wrapped = wrapBlocks(inside, room, true);
  // Lines of its own make room for the marks; that helps neither a directive nor an endless word.
  const helps =
    wrapped.length > 1 || wrapped.every((text) => isProse(text) && widthOf(text) <= room);
  if (found.length === 1 && !helps) return same;
  const made = wrapped.map((text) => `${indent} * ${text}`.trimEnd());
  return { from, to, lines: [`${indent}${open}`, ...made, `${indent} */`] };
}

function oneLine(line: string): string[] | undefined {
  const said = /^\s*\/\*\*? (.*) \*\/\s*$/.exec(line)?.[1];
  if (said === undefined) return undefined;
  const [text = '', ...tags] = said.split(INNER_TAG);
  return tags.length === 0 ? [text] : [text, ...(text.startsWith('@') ? [] : ['']), ...tags];
}

function manyLines(found: readonly string[], indent: string): string[] | undefined {
  if (!/^\s*\/\*\*?$/.test(found[0] ?? '') || (found.at(-1) ?? '').trim() !== '*/')
    return undefined;
  const inside = found.slice(1, -1);
  if (!inside.every((line) => line === `${indent} *` || line.startsWith(`${indent} * `)))
    return undefined;
  return inside.map((line) => line.slice(indent.length + 3));
}
