import {
  access,
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordedDirectory } from './memory-directory.ts';
import { SNAPSHOT_MIGRATIONS, SnapshotRecords } from './records.ts';
import type { SnapshotRecord } from './snapshot.ts';
import { Snapshots } from './snapshots.ts';

const uid = process.geteuid?.() ?? 0;
const id = 'a'.repeat(64);
const RECORD: SnapshotRecord = {
  ...{ id, name: 'one', kind: 'memory', createdAt: '2026-01-01T00:00:00Z', bootSet: 'b' },
  definition: {},
  box: { id: 'c'.repeat(64), name: 'box', image: 'image' },
};
const SAVED = {
  machine: {
    arrangement: 'template' as const,
    changesSerial: 'changes' as const,
    memory: { offset: 0, bytes: 4096 },
  },
  ...{ written: 0, pausedMs: 1 },
};

let root: string;
let home: string;
let database: Database.Database;
let snapshots: Snapshots;

beforeEach(async () => {
  root = await mkdtemp('/dev/shm/snapshots-test-');
  home = join(root, 'home');
  await mkdir(home);
  database = new Database(':memory:');
  for (const sql of SNAPSHOT_MIGRATIONS) database.exec(sql);
  const records = new SnapshotRecords(database);
  snapshots = new Snapshots({ home, uid, records, parent: root });
});
afterEach(async () => {
  database.close();
  await rm(root, { recursive: true });
});

const memoryPath = (): string => recordedDirectory({ home, uid, parent: root });

/** Creates a finished snapshot with dummy files. */
async function made(): Promise<void> {
  const directories = await snapshots.begin(RECORD, 4096);
  for (const name of ['ram', 'state']) await writeFile(join(directories.memory, name), name);
  await snapshots.finish(RECORD, SAVED);
}

describe('snapshots', () => {
  it('opens a recorded snapshot, and sweeps files without a record', async () => {
    await made();
    await mkdir(join(memoryPath(), 'stray'));
    await snapshots.sweep();
    await expect(access(join(memoryPath(), 'stray'))).rejects.toMatchObject({ code: 'ENOENT' });
    await using opened = await snapshots.open('one');
    expect(opened.snapshot.id).toBe(id);
  });

  it('removes nothing through a link in place of the memory directory', async () => {
    const victim = join(root, 'victim');
    await mkdir(victim, { mode: 0o700 });
    await writeFile(join(victim, 'precious'), '');
    await symlink(victim, memoryPath());
    await snapshots.sweep();
    await access(join(victim, 'precious'));
  });

  it('neither removes nor sweeps snapshots while the record of their memory is damaged', async () => {
    await made();
    const memory = memoryPath();
    const record = join(home, 'snapshot-memory');
    const name = await readFile(record);
    await mkdir(join(memory, 'stray'));
    await writeFile(record, 'garbled\n');
    const options = { home, uid, records: new SnapshotRecords(database), parent: root };
    const next = new Snapshots(options);
    expect(next.list()).toHaveLength(1);
    expect(next.unfinishedBoxes()).toEqual([]);
    const unusable = { code: 'state-unusable' };
    await expect(next.sweep()).rejects.toMatchObject(unusable);
    await expect(next.discard(id)).rejects.toMatchObject(unusable);
    await expect(next.open('one')).rejects.toMatchObject(unusable);
    await expect(next.usable(next.resolve('one'))).rejects.toMatchObject(unusable);
    await access(join(memory, 'stray'));
    await writeFile(record, name);
    await using opened = await next.open('one');
    expect(opened.snapshot.id).toBe(id);
  });

  it('neither reads nor removes snapshots in a directory that others can write to', async () => {
    await made();
    const memory = memoryPath();
    const kept = join(root, 'kept');
    await rename(memory, kept);
    await symlink(kept, memory);
    expect(await snapshots.usable(snapshots.resolve('one'))).toBe(false);
    await expect(snapshots.open('one')).rejects.toMatchObject({ code: 'conflict' });
    await rm(memory);
    await rename(kept, memory);
    await chmod(memory, 0o777);
    await expect(snapshots.open('one')).rejects.toMatchObject({ code: 'conflict' });
    await snapshots.discard(id);
    await access(join(memory, id, 'ram'));
    expect(snapshots.list()).toEqual([]);
  });
});
