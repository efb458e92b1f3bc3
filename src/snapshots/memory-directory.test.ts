import { chmod, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkRoom, ensureMemoryDirectory, memoryDirectory } from './memory-directory.ts';

const uid = process.geteuid?.() ?? 0;
let parent: string;
beforeEach(async () => {
  parent = await mkdtemp('/dev/shm/snapshots-test-');
});
afterEach(() => rm(parent, { recursive: true }));

describe('the directory of snapshots’ memory', () => {
  it('is one for each home and user, and nobody else’s', async () => {
    const path = memoryDirectory('/home/a', uid, parent);
    expect(path).not.toBe(memoryDirectory('/home/b', uid, parent));
    expect(path).not.toBe(memoryDirectory('/home/a', uid + 1, parent));
    await ensureMemoryDirectory(path, uid);
    await ensureMemoryDirectory(path, uid);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  it('is refused where others could look into it, or put it there', async () => {
    const path = memoryDirectory('/home/a', uid, parent);
    await ensureMemoryDirectory(path, uid);
    const unusable = { code: 'state-unusable' };
    await expect(ensureMemoryDirectory(path, uid + 1)).rejects.toMatchObject(unusable);
    await chmod(path, 0o750);
    await expect(ensureMemoryDirectory(path, uid)).rejects.toMatchObject(unusable);
    const link = join(parent, 'link');
    await symlink(path, link);
    await expect(ensureMemoryDirectory(link, uid)).rejects.toMatchObject(unusable);
    const missing = join(parent, 'missing', 'directory');
    await expect(ensureMemoryDirectory(missing, uid)).rejects.toMatchObject(unusable);
  });

  it('is refused on a disk', async () => {
    const disk = await mkdtemp(join(tmpdir(), 'snapshots-'));
    try {
      const onDisk = (await stat(disk)).dev !== (await stat(parent)).dev;
      const made = ensureMemoryDirectory(join(disk, 'memory'), uid);
      if (onDisk) await expect(made).rejects.toMatchObject({ code: 'state-unusable' });
      else await made;
    } finally {
      await rm(disk, { recursive: true });
    }
  });

  it('takes nothing that there is no room for', async () => {
    await checkRoom(parent, 4096);
    const refused = checkRoom(parent, 2 ** 50);
    await expect(refused).rejects.toMatchObject({ code: 'out-of-memory' });
  });
});
