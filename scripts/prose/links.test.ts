import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { brokenLinks } from './links.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'links-'));
  mkdirSync(join(root, 'docs/boxes'), { recursive: true });
  const headings = ['# Networks', '## In `bridge`, say', '## Twice', '## Twice', '```', '# code'];
  writeFileSync(join(root, 'docs/boxes/networks.md'), [...headings, '```', ''].join('\n'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function linksIn(...lines: string[]): readonly unknown[] {
  writeFileSync(join(root, 'docs/page.md'), lines.join('\n'));
  return brokenLinks(root, 'docs/page.md');
}

it.each([
  '[networks](boxes/networks.md)',
  '[a heading](boxes/networks.md#in-bridge-say)',
  '[the second of its name](boxes/networks.md#twice-1)',
  '[a folder](boxes/)',
  '[another host](https://example.com/no.md#no)',
  '[networks]: boxes/networks.md',
  '`[code](no.md)`',
])('takes the link %s', (line) => {
  expect(linksIn(line)).toEqual([]);
});

it.each([
  ['[no file](no.md)', 'no.md'],
  ['[no heading](boxes/networks.md#no)', 'boxes/networks.md#no'],
  ['[a heading in code](boxes/networks.md#code)', 'boxes/networks.md#code'],
  ['[no third](boxes/networks.md#twice-2)', 'boxes/networks.md#twice-2'],
  ['[no heading here](#no)', '#no'],
  ['[outside of the repository](../../elsewhere.md)', '../../elsewhere.md'],
  ['[reference]: no.md', 'no.md'],
])('finds the broken link %s', (line, target) => {
  expect(linksIn('# Page', '```', '[code](no.md)', '```', line)).toEqual([{ line: 5, target }]);
});
