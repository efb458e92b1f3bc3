import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_DEPTH } from './held.ts';
import { pack } from './pack.ts';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'a3s-pack-'));
  mkdirSync(join(work, 'secrets'));
  writeFileSync(join(work, 'secrets/key'), 'private');
  mkdirSync(join(work, 'shared/below'), { recursive: true });
  writeFileSync(join(work, 'shared/below/file'), 'content');
});
afterEach(() => rmSync(work, { recursive: true }));

/**
 * Packs the shared directory, and does something while the entry of a name is the last that was
 * asked for.
 */
async function packed(last: string, meanwhile: () => void): Promise<string> {
  const blocks: string[] = [];
  for await (const block of pack(join(work, 'shared'), 'shared', { bytes: 0 })) {
    const text = block.toString('latin1');
    blocks.push(text);
    if (text.startsWith(`${last}\0`)) meanwhile();
  }
  return blocks.join('');
}

function replaceByLink(name: string): void {
  renameSync(join(work, name), join(work, 'moved'));
  symlinkSync(join(work, 'secrets'), join(work, name));
}

it.each([
  ['the directory itself', 'shared/', 'shared'],
  ['a directory below it', 'shared/below/', 'shared/below'],
  ['a directory whose content is being sent', 'shared/below/file', 'shared'],
])('sends what it looked at where a link replaces %s meanwhile', async (_, last, name) => {
  const archive = await packed(last, () => replaceByLink(name));
  expect(archive).not.toContain('private');
  expect(archive).toContain('content');
});

it('does not follow a link that replaces a directory before it is reached', async () => {
  const archive = await packed('shared/', () => replaceByLink('shared/below'));
  expect(archive).not.toContain('private');
  expect(archive).not.toContain('content');
  expect(archive).toContain(join(work, 'secrets'));
});

it('refuses more directories in each other than it may hold, and holds none afterwards', async () => {
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  mkdirSync(join(work, 'shared', 'd/'.repeat(MAX_DEPTH)), { recursive: true });
  await expect(packed('', () => {})).rejects.toThrow('more than 512 directories in each other');
  expect(open()).toBe(before);
});

it('names the file that cannot be read as the user knows it', async () => {
  const path = join(work, 'absent');
  await expect(pack(path, 'absent', { bytes: 0 }).next()).rejects.toThrow(
    `ENOENT: no such file or directory, open ${JSON.stringify(path)}`,
  );
});
