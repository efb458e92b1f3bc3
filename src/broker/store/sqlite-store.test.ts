import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from './sqlite-store.ts';
import type { BrokerStore } from './store.ts';

let directory: string;
let path: string;
let store: BrokerStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-broker-store-'));
  path = join(directory, 'broker.db');
  store = openSqliteStore(path);
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const set = (name: string, value: string) =>
  store.transaction((transaction) => transaction.setValue(name, value));
const get = (name: string) => store.transaction((transaction) => transaction.value(name));

describe('the store of the broker', () => {
  it('commits transactions that were asked for together, each by itself', async () => {
    const fails = store.transaction(async (transaction) => {
      await transaction.setValue('b', 'undone');
      throw new TypeError('mine');
    });
    const results = await Promise.allSettled([set('a', '1'), fails, set('c', '3')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await Promise.all(['a', 'b', 'c'].map(get))).toEqual(['1', undefined, '3']);
  });

  it('runs one transaction after the other, whatever each of them waits for', async () => {
    const order: string[] = [];
    const job = (name: string, turns: number) =>
      store.transaction(async () => {
        order.push(`${name} begins`);
        for (let n = 0; n < turns; n += 1) await Promise.resolve();
        order.push(`${name} ends`);
      });
    await Promise.all([job('one', 50), job('two', 0)]);
    expect(order).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
  });

  it('refuses a constraint to its own transaction alone, and goes on', async () => {
    const entry = { seq: 1, body: '{}', hash: '', mac: '' };
    const append = () => store.transaction((transaction) => transaction.appendEntry(entry));
    const results = await Promise.allSettled([append(), append(), set('a', '1')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await get('a')).toBe('1');
  });

  it('waits when it closes for what was asked for, and takes nothing after that', async () => {
    const writing = set('a', '1');
    await store.close();
    await writing;
    await expect(set('b', '2')).rejects.toMatchObject({ code: 'broker-store' });
    store = openSqliteStore(path);
    expect(await get('a')).toBe('1');
  });

  it('refuses a store that another broker holds, and one of a newer version', async () => {
    expect(() => openSqliteStore(path)).toThrow(
      expect.objectContaining({ code: 'broker-running' }),
    );
    await store.close();
    const database = new Database(path);
    database.pragma('user_version = 99');
    database.close();
    expect(() => openSqliteStore(path)).toThrow(expect.objectContaining({ code: 'broker-store' }));
  });
});
