import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import * as durable from '../durable.ts';
import { type Database, openDatabase } from '../state/database.ts';
import { VOLUME_MIGRATIONS, VolumeRecords } from './records.ts';
import { Volumes } from './volumes.ts';

vi.mock('../durable.ts', { spy: true });

let home: string;
let database: Database;
let records: VolumeRecords;
let volumes: Volumes;
let makeDisk: (path: string, bytes: number) => Promise<void>;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'a3s-removal-')));
  database = openDatabase(join(home, 'state.db'), VOLUME_MIGRATIONS);
  records = new VolumeRecords(database);
  makeDisk = async () => undefined;
  volumes = new Volumes({
    ...{ home, records, keepOwners: true, running: [] },
    makeDisk: (path, bytes) => makeDisk(path, bytes),
    usersOf: () => [],
    mayHaveVm: () => false,
    shutdown: new AbortController().signal,
    onEvent: () => undefined,
    now: () => '2026-01-02T03:04:05.000000006Z',
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  database.close();
  rmSync(home, { recursive: true });
});

/** Fails the next sync of a removal, which finds no directory any more. */
function failSync(): void {
  vi.mocked(durable.syncRemoval).mockImplementationOnce(async (path) => {
    expect(existsSync(path)).toBe(false);
    throw new Error(`EIO ${path}`);
  });
}

it('keeps the record of a volume until the removal of its files is on the disk', async () => {
  await volumes.create({ name: 'data' });
  failSync();
  await expect(volumes.remove('data')).rejects.toThrow(`EIO ${join(home, 'volumes/data')}`);
  expect(records.get('data')?.state).toBe('removing');
  await volumes.sweep((error) => expect.fail(String(error)));
  expect(records.get('data')).toBeUndefined();
});

it('keeps the record of a volume that could not be made until its removal is on the disk', async () => {
  makeDisk = () => Promise.reject(new Error('ENOSPC'));
  failSync();
  const kind = { options: { type: 'disk' }, diskBytes: 2 ** 26 };
  await expect(volumes.create({ name: 'data', kind })).rejects.toThrow('EIO');
  expect(records.get('data')?.state).toBe('making');
  await volumes.sweep((error) => expect.fail(String(error)));
  expect(records.get('data')).toBeUndefined();
});
