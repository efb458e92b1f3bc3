import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import * as durable from '../durable.ts';
import { SNAPSHOT_MIGRATIONS, SnapshotRecords } from './records.ts';
import { Snapshots } from './snapshots.ts';

vi.mock('../durable.ts', { spy: true });

let home: string;
let database: Database.Database;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'a3s-removal-'));
  database = new Database(':memory:');
  for (const sql of SNAPSHOT_MIGRATIONS) database.exec(sql);
});
afterEach(async () => {
  vi.restoreAllMocks();
  database.close();
  await rm(home, { recursive: true });
});

it('keeps the record of a snapshot until the removal of its disk is on the disk', async () => {
  const id = 'a'.repeat(64);
  const records = new SnapshotRecords(database);
  const snapshots = new Snapshots({ home, uid: process.geteuid?.() ?? 0, records, parent: home });
  const directory = await snapshots.beginDisk({
    ...{ id, name: 'one', kind: 'disk', createdAt: '2026-01-01T00:00:00Z', bootSet: 'b' },
    definition: {},
    box: { id: 'c'.repeat(64), name: 'box', image: 'image' },
  });
  vi.mocked(durable.removeDurably).mockImplementationOnce(async (path) => {
    await rm(path, { recursive: true });
    throw new Error(`EIO ${path}`);
  });
  await expect(snapshots.discard(id)).rejects.toThrow(`EIO ${directory}`);
  expect(snapshots.resolve('one').id).toBe(id);
  await snapshots.discard(id);
  await expect(access(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(records.list()).toEqual([]);
});
