import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Database, openDatabase } from '../../state/database.ts';
import { testDefinition } from '../testing/definition.ts';
import type { HealthState } from './box.ts';
import { BOX_MIGRATIONS, BoxStore } from './store.ts';

let dir: string;
let database: Database;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'a3s-store-'));
  database = openDatabase(join(dir, 'state.db'), BOX_MIGRATIONS);
});
afterEach(() => {
  database.close();
  rmSync(dir, { recursive: true });
});

const A = `1${'a'.repeat(63)}`;
const B = `1b${'a'.repeat(62)}`;

it('finds boxes by id, name and unique prefix, a name before a prefix', () => {
  const store = new BoxStore(database);
  store.insert(testDefinition(A), 'one');
  store.insert(testDefinition(B), '1a');
  expect(store.resolve(A).name).toBe('one');
  expect(store.resolve('/one').definition.id).toBe(A);
  expect(store.resolve('1b').definition.id).toBe(B);
  expect(store.resolve('1a').definition.id).toBe(B);
  expect(() => store.resolve('1')).toThrow(/Multiple IDs found with provided prefix: 1/);
  for (const nothing of ['', 'x', '1c', '%', '1a%']) {
    expect(() => store.resolve(nothing)).toThrow(expect.objectContaining({ code: 'no-such-box' }));
  }
});

it('keeps every change across a restart, each with a new generation', () => {
  const store = new BoxStore(database);
  store.insert(testDefinition(A), 'one');
  store.advance(A, 'start', { run: 1 });
  store.advance(A, 'started', { pid: 7 });
  expect(() => store.advance(A, 'start')).toThrow(expect.objectContaining({ code: 'conflict' }));
  const again = new BoxStore(database).expect(A);
  expect(again).toEqual(store.expect(A));
  expect(again).toMatchObject({ generation: 3, state: { status: 'running', run: 1, pid: 7 } });
});

it('refuses a second box of the same name', () => {
  const store = new BoxStore(database);
  store.insert(testDefinition(A), 'one');
  expect(() => store.insert(testDefinition(B), 'one')).toThrow(
    expect.objectContaining({ code: 'name-in-use' }),
  );
  expect(store.list()).toHaveLength(1);
});

it('refuses a record that it cannot read, and leaves it there', () => {
  new BoxStore(database).insert(testDefinition(A), 'one');
  database.prepare('UPDATE boxes SET state = ?').run('{"status":"dancing"}');
  expect(() => new BoxStore(database)).toThrow(expect.objectContaining({ code: 'state-unusable' }));
  expect(database.prepare('SELECT count(*) AS n FROM boxes').get()).toEqual({ n: 1 });
});

it('reports every change of a box and its removal to a waiter', async () => {
  const store = new BoxStore(database);
  store.insert(testDefinition(A), 'one');
  const { signal } = new AbortController();
  const seen: unknown[] = [];
  const end = store.when(
    A,
    (box) => {
      seen.push(box?.state.status);
      return box === undefined;
    },
    signal,
  );
  store.advance(A, 'start');
  store.advance(A, 'undone-created');
  store.advance(A, 'remove');
  store.remove(A);
  expect(await end).toBeUndefined();
  expect(seen).toEqual(['starting', 'created', 'removing', undefined]);
  const abort = new AbortController();
  const waiting = store.when(A, () => true, abort.signal);
  abort.abort(new Error('left'));
  await expect(waiting).rejects.toThrow('left');
});

it('syncs only those changes at once that a power cut must not lose', () => {
  const pragma = vi.spyOn(database, 'pragma');
  const unsynced = (): number =>
    pragma.mock.calls.splice(0).filter(([text]) => text === 'synchronous = NORMAL').length;
  const store = new BoxStore(database);
  store.insert(testDefinition(A), 'kept');
  expect(unsynced()).toBe(0);
  store.advance(A, 'start', { run: 1 });
  store.amend(A, { ports: [] });
  expect(unsynced()).toBe(2);
  store.advance(A, 'started', { pid: 5 });
  expect(unsynced()).toBe(0);
  const health: HealthState = { status: 'healthy', failingStreak: 0, log: [] };
  expect(store.recordHealth(A, health).state).toMatchObject({ health, pid: 5 });
  expect(unsynced()).toBe(1);
  store.advance(A, 'ended', { exitCode: 3 });
  store.advance(A, 'gone');
  store.advance(A, 'remove');
  store.remove(A);
  expect(unsynced()).toBe(0);
  // One that goes at its end: where the host does, it has.
  store.insert({ ...testDefinition(B), autoRemove: true }, 'gone');
  expect(unsynced()).toBe(0);
  store.advance(B, 'start', { run: 1 });
  store.advance(B, 'started');
  store.remove(B);
  expect(unsynced()).toBe(3);
  expect(database.pragma('synchronous', { simple: true })).toBe(2);
});

it('keeps every change for the next server, synced or not', () => {
  const store = new BoxStore(database);
  store.insert({ ...testDefinition(A), autoRemove: true }, 'a');
  store.advance(A, 'start', { run: 7 });
  // The state after SIGKILL: the write-ahead log exists, and the database was not closed.
  const copy = join(dir, 'copy.db');
  copyFileSync(join(dir, 'state.db'), copy);
  copyFileSync(join(dir, 'state.db-wal'), `${copy}-wal`);
  const next = openDatabase(copy, BOX_MIGRATIONS);
  expect(new BoxStore(next).expect(A).state.run).toBe(7);
  next.close();
});
