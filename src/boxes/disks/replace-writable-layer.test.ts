import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, type Mock, vi } from 'vitest';
import { type Database, openDatabase } from '../../state/database.ts';
import { BOX_MIGRATIONS, BoxStore } from '../record/store.ts';
import type { Logger } from '../services/services.ts';
import { testDefinition } from '../testing/definition.ts';
import { finishReplacement, replaceWritableLayer } from './replace-writable-layer.ts';

vi.mock('node:fs/promises', { spy: true });

const ID = '1'.repeat(64);
const IDENTITY = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
let home: string;
let box: string;
let saved: string;
let database: Database;
let store: BoxStore;
let log: { info: Mock<Logger['info']>; error: Mock<Logger['error']> };
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'replace-'));
  box = join(home, 'boxes', ID);
  saved = join(home, 'saved');
  for (const directory of [box, saved]) mkdirSync(directory, { recursive: true });
  for (const name of ['changes.ext4', 'changes.1.qcow2', 'changes.2.qcow2']) {
    writeFileSync(join(box, name), `old ${name}`);
  }
  for (const name of ['changes.ext4', 'changes.3.qcow2']) {
    writeFileSync(join(saved, name), `new ${name}`);
  }
});
beforeEach(() => {
  log = { info: vi.fn<Logger['info']>(), error: vi.fn<Logger['error']>() };
  database = openDatabase(join(home, 'state.db'), BOX_MIGRATIONS);
  store = new BoxStore(database);
  store.insert({ ...testDefinition(ID), identity: IDENTITY }, 'box');
});
afterEach(() => {
  database.close();
  vi.mocked(files.rename).mockReset();
  vi.mocked(files.rm).mockReset();
  rmSync(home, { recursive: true });
});

/** The server is killed when it has removed so many of the files of a directory. */
function endIn(count: number): void {
  vi.mocked(files.rm).mockImplementation(async (path, options) => {
    const all = options?.recursive === true ? await files.readdir(`${path}`).catch(() => []) : [];
    if (all.length === 0) return rmSync(path, options);
    for (const name of all.slice(0, count)) rmSync(join(`${path}`, name));
    throw new Error('killed');
  });
}

const replace = () =>
  replaceWritableLayer({ home, store, log }, { id: ID, identity: IDENTITY }, saved);

describe('a replacement of the writable layer', () => {
  it.each([0, 1, 2, 3])(
    'leaves the new disk where the server ends with %i files of the directory removed',
    async (count) => {
      endIn(count);
      await replace();
      expect(log.error).toHaveBeenCalledOnce();
      vi.mocked(files.rm).mockReset();
      for (let again = 0; again < 2; again += 1) {
        await finishReplacement({ home }, ID);
        expect(readdirSync(box).sort()).toEqual([
          ...['changes.3.qcow2', 'changes.4.qcow2', 'changes.ext4'],
        ]);
      }
      expect(readFileSync(join(box, 'changes.3.qcow2'), 'utf8')).toBe('new changes.3.qcow2');
    },
  );

  it('replaces a disk that is kept from before the step on, although the box never ran', async () => {
    const kept: unknown[] = [];
    vi.mocked(files.rename).mockImplementation(async (from, to) => {
      if (`${to}`.endsWith('restored')) kept.push(store.expect(ID).state.hasFiles);
      renameSync(from, to);
    });
    await replace();
    expect(kept).toEqual([true]);
  });
});
