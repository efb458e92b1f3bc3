import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeStore } from '../testing/store-contract.ts';
import { openSqliteStore } from './sqlite-store.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-broker-store-'));
  path = join(directory, 'broker.db');
});
afterEach(() => rmSync(directory, { recursive: true }));

describeStore('SQLite', async () => openSqliteStore(path));

it('refuses a store that another broker holds, and one of a newer version', async () => {
  const store = openSqliteStore(path);
  expect(() => openSqliteStore(path)).toThrow(expect.objectContaining({ code: 'broker-running' }));
  await store.close();
  const database = new Database(path);
  database.pragma('user_version = 99');
  database.close();
  expect(() => openSqliteStore(path)).toThrow(expect.objectContaining({ code: 'broker-store' }));
});
