/**
 * Wraps the prose of one file: of a document all of it, of a source its comments.
 *
 * @module
 */
import {
  cComments,
  goComments,
  hashComments,
  type Range,
  scriptComments,
} from './find-comments.ts';
import { wrapBlocks } from './wrap-blocks.ts';
import { wrapComments } from './wrap-comments.ts';
import { COLUMNS, widthOf } from './wrap-words.ts';

const COMMENTS: Readonly<Record<string, (text: string) => Range[]>> = {
  ...{ ts: scriptComments, mjs: scriptComments, cjs: scriptComments },
  ...{ go: goComments, c: cComments, h: cComments },
  ...{ sh: hashComments, yaml: hashComments, yml: hashComments },
};

/** What `npm run docs` writes. */
const GENERATED = /^docs\/(?:cli|docker-api|errors)\.md$/;

/** @param path from the root of the repository */
export function isWrapped(path: string): boolean {
  if (GENERATED.test(path)) return false;
  const extension = extensionOf(path);
  return extension === 'md' || extension in COMMENTS;
}

export function wrapFile(path: string, text: string): string {
  if (!isWrapped(path)) return text;
  const lines = text.split('\n');
  if (lines.every((line) => widthOf(line) <= COLUMNS)) return text;
  const find = COMMENTS[extensionOf(path)];
  if (find === undefined) return wrapBlocks(lines, COLUMNS, false).join('\n');
  return wrapComments(text, find(text));
}

function extensionOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}
