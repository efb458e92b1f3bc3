// A bind source becomes a link after its path was checked, and before missing directories are
// created.
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bindPaths, recordSources } from './binds.ts';

const looked = vi.hoisted(() => ({ at: '', swap: (): void => undefined }));
vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof import('node:fs/promises')>();
  const realpath = async (path: string): Promise<string> => {
    const found = await actual.realpath(path);
    if (path === looked.at) looked.swap();
    return found;
  };
  return { ...actual, realpath };
});

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'a3s-swapped-')));
});
afterEach(() => {
  looked.at = '';
  rmSync(root, { recursive: true, force: true });
});

it('creates nothing through a link that is put into the path after it was checked', async () => {
  const source = join(root, 'mine/a/b');
  const binds = await recordSources([{ source, destination: '/d', readonly: false }]);
  mkdirSync(join(root, 'secret'));
  looked.swap = () => {
    looked.at = '';
    symlinkSync(join(root, 'secret'), join(root, 'mine'));
  };
  looked.at = root;
  await expect(bindPaths(binds)).rejects.toMatchObject({ code: 'bind-source-changed' });
  expect(looked.at).toBe('');
  expect(readdirSync(join(root, 'secret'))).toEqual([]);
});
