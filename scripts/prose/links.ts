/**
 * Links between the documents of the repository.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** A link of a document that leads nowhere. */
export interface BrokenLink {
  /** From 1. */
  readonly line: number;
  /** As it is written. */
  readonly target: string;
}

const FENCE = /^\s*(```|~~~)/;
const LINK = /\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/g;
const SCHEME = /^[a-z][a-z+.-]*:/i;

/**
 * The links of a Markdown document whose file does not exist, or has no such heading. Links to
 * other hosts are not looked at.
 *
 * @param path - Of the document, below `root`.
 */
export function brokenLinks(root: string, path: string): readonly BrokenLink[] {
  const broken: BrokenLink[] = [];
  for (const { line, text } of linesOutsideCode(readFileSync(join(root, path), 'utf8'))) {
    for (const [, inline, reference] of text.replace(/`[^`]*`/g, '').matchAll(LINK)) {
      const target = inline ?? reference ?? '';
      if (!SCHEME.test(target) && !leadsSomewhere(root, path, target))
        broken.push({ line, target });
    }
  }
  return broken;
}

function leadsSomewhere(root: string, from: string, target: string): boolean {
  const [file = '', heading] = target.split('#', 2);
  const path = file === '' ? from : normalize(join(dirname(from), file));
  if (path.startsWith('..') || !existsSync(join(root, path))) return false;
  return heading === undefined || headingsOf(readFileSync(join(root, path), 'utf8')).has(heading);
}

/** As GitHub names them: a heading that is there twice has a number the second time. */
function headingsOf(document: string): ReadonlySet<string> {
  const names = new Map<string, number>();
  for (const { text } of linesOutsideCode(document)) {
    const [, heading] = /^#{1,6} (.+)$/.exec(text) ?? [];
    if (heading === undefined) continue;
    const words = heading.replace(/\]\([^)]*\)/g, '').toLowerCase();
    const name = words
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .trim()
      .replaceAll(' ', '-');
    names.set(name, (names.get(name) ?? 0) + 1);
  }
  return new Set(
    [...names].flatMap(([name, count]) =>
      Array.from({ length: count }, (_, index) => (index === 0 ? name : `${name}-${index}`)),
    ),
  );
}

function linesOutsideCode(document: string): { readonly line: number; readonly text: string }[] {
  let isCode = false;
  return document.split('\n').flatMap((text, index) => {
    const isFence = FENCE.test(text);
    if (isFence) isCode = !isCode;
    return isCode || isFence ? [] : [{ line: index + 1, text }];
  });
}
