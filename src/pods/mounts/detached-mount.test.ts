import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { detachedMount, openSource } from './detached-mount.ts';
import { mountCalls } from './mount-calls.ts';

const isRoot = process.geteuid?.() === 0;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-mount-'));
  mkdirSync(join(root, 'volume'));
  writeFileSync(join(root, 'volume/file'), '');
  symlinkSync('volume', join(root, 'link'));
});
afterEach(() => rmSync(root, { recursive: true }));

it.runIf(isRoot)(
  'mounts what a path led to when it was opened, not where a link leads later',
  async () => {
    const { held } = await openSource(join(root, 'link'));
    rmSync(join(root, 'link'));
    symlinkSync('/', join(root, 'link'));
    {
      await using _ = held;
      using mount = detachedMount(await mountCalls(), held.fd, { readonly: true, recursive: true });
      const tree = `/proc/self/fd/${mount.tree}`;
      expect(readdirSync(tree)).toEqual(['file']);
      expect(() => writeFileSync(join(tree, 'file'), 'x')).toThrow('EROFS');
    }
    writeFileSync(join(root, 'volume/file'), 'x');
  },
);

it('opens a directory, a file, and a directory that it makes', async () => {
  for (const [name, isDirectory] of [
    ['volume', true],
    ['volume/file', false],
    ['new/one', true],
  ] as const) {
    const source = await openSource(join(root, name));
    expect(source.isDirectory).toBe(isDirectory);
    await source.held.close();
  }
});

it('refuses a mount of what is no mount', async () => {
  const calls = await mountCalls();
  expect(() => detachedMount(calls, -1, { readonly: false, recursive: false })).toThrow(
    expect.objectContaining({ code: 'state-unusable' }),
  );
});
