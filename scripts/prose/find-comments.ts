/**
 * Finds the comments of a source file.
 *
 * @module
 */
import ts from 'typescript';

/** Where a comment is, from its first character to behind its last. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Of TypeScript and JavaScript, by their parser: only it knows a regular expression from a
 * division.
 */
export function scriptComments(text: string): Range[] {
  const source = ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true);
  const found = new Map<number, number>();
  const add = (ranges: readonly ts.CommentRange[] | undefined): void => {
    for (const { pos, end } of ranges ?? []) found.set(pos, end);
  };
  const visit = (node: ts.Node): void => {
    add(ts.getLeadingCommentRanges(text, node.getFullStart()));
    add(ts.getTrailingCommentRanges(text, node.getEnd()));
    if (!ts.isJSDoc(node)) node.getChildren(source).forEach(visit);
  };
  visit(source);
  return [...found].map(([start, end]) => ({ start, end })).sort((a, b) => a.start - b.start);
}

/** Of Go and C: comments, and the strings and characters in which there is none. */
const C_LIKE = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;
const GO = new RegExp(`${C_LIKE.source}|\`[^\`]*\``, 'g');

export function cComments(text: string): Range[] {
  return matches(text, C_LIKE);
}

export function goComments(text: string): Range[] {
  return matches(text, GO);
}

function matches(text: string, pattern: RegExp): Range[] {
  return [...text.matchAll(pattern)]
    .filter(([found]) => found.startsWith('//') || found.startsWith('/*'))
    .map(({ index, 0: found }) => ({ start: index, end: index + found.length }));
}

/** Of shell scripts and YAML: whole lines, but none in a here-document or in a block of text. */
export function hashComments(text: string): Range[] {
  const found: Range[] = [];
  let start = 0;
  let until: string | undefined;
  /** The indentation of the key of a block of text. */
  let block: number | undefined;
  for (const line of text.split('\n')) {
    const indent = line.length - line.trimStart().length;
    if (block !== undefined && line.trim() !== '' && indent <= block) block = undefined;
    if (until !== undefined) {
      if (line.trim() === until) until = undefined;
    } else if (block === undefined) {
      if (/^\s*#(?:\s|$)/.test(line))
        found.push({ start: start + indent, end: start + line.length });
      else until = /<<-?\s*(["']?)(\w+)\1/.exec(line)?.[2];
      if (/:\s+[|>][-+]?\d*$/.test(line)) block = indent;
    }
    start += line.length + 1;
  }
  return found;
}
