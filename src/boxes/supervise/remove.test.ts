import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import * as durable from '../../durable.ts';
import { type Database, openDatabase } from '../../state/database.ts';
import { BOX_MIGRATIONS, BoxStore } from '../record/store.ts';
import { testDefinition } from '../testing/definition.ts';
import { type RemoveLockedHost, removeLocked } from './remove.ts';

vi.mock('../../durable.ts', { spy: true });

const ID = '1'.repeat(64);

let home: string;
let database: Database;
let store: BoxStore;
let host: RemoveLockedHost;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'a3s-removal-'));
  database = openDatabase(join(home, 'state.db'), BOX_MIGRATIONS);
  store = new BoxStore(database);
  host = {
    ...{ home, store, runtimeDir: join(home, 'run') },
    outputs: { forget: async () => undefined },
    execs: { forgetBox: () => undefined },
    events: { publish: () => undefined },
  } as unknown as RemoveLockedHost;
});
afterEach(() => {
  vi.clearAllMocks();
  database.close();
  rmSync(home, { recursive: true });
});

/** A box that has ended, with its directory. */
function ended(autoRemove: boolean): string {
  store.insert({ ...testDefinition(ID), autoRemove }, 'web');
  store.advance(ID, 'start');
  store.advance(ID, 'started', { startedAt: '2026-01-01T00:00:00Z' });
  store.advance(ID, 'gone');
  const directory = join(home, 'boxes', ID);
  mkdirSync(directory, { recursive: true });
  return directory;
}

it('keeps the record of a box until the removal of its files is on the disk', async () => {
  const directory = ended(false);
  vi.mocked(durable.removeDurably).mockImplementationOnce(async (path) => {
    rmSync(path, { recursive: true });
    throw new Error(`EIO ${path}`);
  });
  await expect(removeLocked(host, ID)).rejects.toThrow(`EIO ${directory}`);
  expect(store.expect(ID).state.status).toBe('removing');
  await removeLocked(host, ID);
  expect(store.get(ID)).toBeUndefined();
});

it('removes a box with --rm without a sync, since a power cut ends what is left of it', async () => {
  const directory = ended(true);
  await removeLocked(host, ID);
  expect(existsSync(directory)).toBe(false);
  expect(store.get(ID)).toBeUndefined();
  expect(vi.mocked(durable.removeDurably)).not.toHaveBeenCalled();
});
