import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectories, makeDirectoriesUnlinked } from './make-directories.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-directories-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const BOTH = [makeDirectories, makeDirectoriesUnlinked] as const;

describe('directories', () => {
  it.each(BOTH)(
    'creates missing parents once, also when several callers race: %o',
    async (make) => {
      const path = join(root, 'a/b/c');
      await Promise.all(Array.from({ length: 8 }, () => make(path, 0o700)));
      await make(path, 0o755);
      for (const each of ['a', 'a/b', 'a/b/c']) {
        expect(statSync(join(root, each)).mode & 0o777).toBe(0o700);
      }
      await make('/', 0o700);
    },
  );

  it.each([
    ['/proc/nowhere', 'ENOENT'],
    ['/proc/nowhere/a/b', 'ENOENT'],
    ['file/a', 'ENOTDIR'],
    ['file/a/b', 'ENOTDIR'],
    ['dangling/a', 'ENOENT'],
  ])('refuses a path that cannot be created without retrying: %s', async (path, code) => {
    writeFileSync(join(root, 'file'), '');
    symlinkSync('nowhere/at/all', join(root, 'dangling'));
    const full = path.startsWith('/') ? path : join(root, path);
    await expect(makeDirectories(full, 0o700)).rejects.toMatchObject({ code });
    // makeDirectoriesUnlinked does not follow the dangling link.
    const unlinked = path.startsWith('dangling') ? 'ENOTDIR' : code;
    await expect(makeDirectoriesUnlinked(full, 0o700)).rejects.toMatchObject({ code: unlinked });
  });

  it('creates nothing through a symbolic link where links are not followed', async () => {
    mkdirSync(join(root, 'secret/inner'), { recursive: true });
    mkdirSync(join(root, 'mine'));
    symlinkSync(join(root, 'secret'), join(root, 'link'));
    symlinkSync('../secret', join(root, 'mine/link'));
    for (const path of ['link', 'link/a', 'link/inner/a', 'mine/link/a/b']) {
      const making = makeDirectoriesUnlinked(join(root, path), 0o700);
      await expect(making).rejects.toMatchObject({ code: 'ENOTDIR' });
    }
    expect(readdirSync(join(root, 'secret'))).toEqual(['inner']);
    expect(readdirSync(join(root, 'secret/inner'))).toEqual([]);
  });

  it('leaves no directory descriptor open', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    await makeDirectoriesUnlinked(join(root, 'a/b'), 0o700);
    const refused = makeDirectoriesUnlinked('/proc/nowhere/a', 0o700);
    await expect(refused).rejects.toMatchObject({ code: 'ENOENT' });
    expect(open()).toBe(before);
  });
});
