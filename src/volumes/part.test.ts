import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partOf } from './part.ts';

let home: string;
let root: string;
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'part-')));
  root = join(home, 'volume');
  await mkdir(join(root, 'a/b'), { recursive: true });
  await mkdir(join(home, 'outside'));
  await writeFile(join(root, 'a/file'), '');
  for (const [name, target] of [
    ['in', 'a'],
    ['again', './a/../in//b/'],
    ['up', '../outside'],
    ['root', '/'],
    ['back', join(home, 'volume/a')],
    ['a/above', '../../outside'],
    ['around', '../volume/a'],
    ['loop', 'loop'],
    ['top', 'a/..'],
  ] as const) {
    await symlink(target, join(root, name));
  }
});
afterEach(() => rm(home, { recursive: true }));

describe('a part of a volume', () => {
  it.each([
    [undefined, '', false],
    ['a', 'a', false],
    ['a/b', 'a/b', false],
    ['a/file', 'a/file', true],
    ['in/b', 'a/b', false],
    ['again', 'a/b', false],
    ['top', '', false],
    ['top/a/file', 'a/file', true],
  ])('resolves the subpath %s to %j', async (subpath, place, isFile) => {
    expect(await partOf(root, subpath)).toEqual({ path: join(root, place), isFile });
  });

  it.each(['up', 'root', 'root/etc', 'back', 'a/above', 'around', 'loop'])(
    'refuses a subpath whose link %s leads out of the volume',
    async (subpath) => {
      await expect(partOf(root, subpath)).rejects.toMatchObject({
        code: 'invalid-argument',
        message: `path concatenation escapes the base directory, base: ${root}, subpath: ${subpath}`,
      });
    },
  );

  it.each(['none', 'a/none', 'a/file/below'])(
    'refuses a subpath where there is no %s',
    async (subpath) => {
      await expect(partOf(root, subpath)).rejects.toMatchObject({ code: 'bind-source-missing' });
    },
  );

  it('refuses a subpath that is neither directory nor file', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve));
    await expect(partOf(root, 'socket')).rejects.toMatchObject({ code: 'unsupported-option' });
    await new Promise((resolve) => server.close(resolve));
  });
});
