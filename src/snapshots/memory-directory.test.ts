import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  access,
  chmod,
  chown,
  mkdir,
  mkdtemp,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  checkRoom,
  ensureMemoryDirectory,
  isUsable,
  recordedDirectory,
} from './memory-directory.ts';

const uid = process.geteuid?.() ?? 0;
/** A user id without an account, which needs none. */
const STRANGER = '64321';
const UNUSABLE = { code: 'state-unusable' };

let parent: string;
let home: string;
beforeEach(async () => {
  parent = await mkdtemp('/dev/shm/snapshots-test-');
  home = await mkdtemp(join(tmpdir(), 'snapshots-home-'));
});
afterEach(async () => {
  for (const path of [parent, home]) await rm(path, { recursive: true });
});

const owner = () => ({ home, uid, parent });
/** The predictable path that earlier versions used. */
const earlier = (): string =>
  join(parent, `a3s-box-${uid}-${createHash('sha256').update(home).digest('hex').slice(0, 16)}`);
/** Creates a directory of another user, or without root one that is open to others. */
async function squat(path: string): Promise<void> {
  await chmod(parent, 0o1777);
  if (uid !== 0) return await mkdir(path).then(() => chmod(path, 0o777));
  const ids = ['--reuid', STRANGER, '--regid', STRANGER, '--clear-groups'];
  expect(spawnSync('setpriv', [...ids, 'mkdir', path]).status).toBe(0);
}

describe('the directory of snapshots’ memory', () => {
  it('gives the memory directory an unpredictable name, and keeps it', async () => {
    const path = await ensureMemoryDirectory(owner());
    expect(path.slice(parent.length)).toMatch(/^\/a3s-box-\d+-[0-9a-f]{32}$/);
    expect(recordedDirectory(owner())).toBe(path);
    expect(await ensureMemoryDirectory(owner())).toBe(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect(await isUsable(path, uid)).toBe(true);
  });

  it('gives the memory directory a new name once the old one is gone', async () => {
    const path = await ensureMemoryDirectory(owner());
    await rm(path, { recursive: true });
    expect(recordedDirectory(owner())).toBe(path);
    await squat(path);
    const next = await ensureMemoryDirectory(owner());
    expect(next).not.toBe(path);
    expect(recordedDirectory(owner())).toBe(next);
  });

  it('makes the memory directory although another user has taken the name of earlier versions', async () => {
    await squat(earlier());
    const path = await ensureMemoryDirectory(owner());
    expect(path).not.toBe(earlier());
    expect(await isUsable(path, uid)).toBe(true);
    expect(await isUsable(earlier(), uid)).toBe(false);
  });

  it('adopts the memory directory of an earlier server where this user owns it', async () => {
    expect(recordedDirectory(owner())).toBe(earlier());
    await mkdir(earlier(), { mode: 0o700 });
    expect(await ensureMemoryDirectory(owner())).toBe(earlier());
  });

  it('does not use a memory directory that others could read or have put there', async () => {
    const path = await ensureMemoryDirectory(owner());
    expect(await isUsable(path, uid + 1)).toBe(false);
    await chmod(path, 0o750);
    expect(await isUsable(path, uid)).toBe(false);
    expect(await ensureMemoryDirectory(owner())).not.toBe(path);
    await chmod(path, 0o700);
    const link = join(parent, 'link');
    await symlink(path, link);
    expect(await isUsable(link, uid)).toBe(false);
    expect(await isUsable(join(parent, 'missing'), uid)).toBe(false);
  });

  it('refuses a parent directory that others can rename, that is a link, or that is missing', async () => {
    await chmod(parent, 0o777);
    await expect(ensureMemoryDirectory(owner())).rejects.toMatchObject(UNUSABLE);
    await chmod(parent, 0o700);
    const link = join(home, 'link');
    await symlink(parent, link);
    await expect(ensureMemoryDirectory({ ...owner(), parent: link })).rejects.toMatchObject(
      UNUSABLE,
    );
    const missing = join(parent, 'missing');
    await expect(ensureMemoryDirectory({ ...owner(), parent: missing })).rejects.toMatchObject(
      UNUSABLE,
    );
    if (uid === 0) await chown(parent, Number(STRANGER), Number(STRANGER));
    const another = { ...owner(), uid: uid === 0 ? 0 : uid + 1 };
    await expect(ensureMemoryDirectory(another)).rejects.toMatchObject(UNUSABLE);
    await expect(access(join(home, 'snapshot-memory'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('refuses a memory directory on a disk', async () => {
    const disk = await mkdtemp('/var/tmp/snapshots-');
    try {
      const onDisk = (await stat(disk)).dev !== (await stat(parent)).dev;
      const made = ensureMemoryDirectory({ ...owner(), parent: disk });
      if (onDisk) await expect(made).rejects.toMatchObject(UNUSABLE);
      else await made;
    } finally {
      await rm(disk, { recursive: true });
    }
  });

  it('refuses a damaged record of the memory directory instead of guessing a name', async () => {
    for (const text of ['', '../elsewhere\n', `a3s-box-0-${'0'.repeat(31)}/\n`]) {
      await writeFile(join(home, 'snapshot-memory'), text);
      expect(() => recordedDirectory(owner())).toThrow(expect.objectContaining(UNUSABLE));
    }
  });

  it('refuses a snapshot for which there is not enough memory', async () => {
    await checkRoom(parent, 4096);
    const refused = checkRoom(parent, 2 ** 50);
    await expect(refused).rejects.toMatchObject({ code: 'out-of-memory' });
  });
});
