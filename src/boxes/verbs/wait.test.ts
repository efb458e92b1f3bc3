import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../state/database.ts';
import { BOX_MIGRATIONS, BoxStore } from '../record/store.ts';
import { testDefinition } from '../testing/definition.ts';
import { type Ending, type WaitCondition, waitBox } from './wait.ts';

const ID = `1${'a'.repeat(63)}`;
const LOST = { exitCode: 137, error: 'the microVM ended unexpectedly' };
const REFUSED = { exitCode: 127, error: 'executable file not found' };

let dir: string;
let database: Database;
let store: BoxStore;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'a3s-wait-'));
  database = openDatabase(join(dir, 'state.db'), BOX_MIGRATIONS);
  store = new BoxStore(database);
  store.insert(testDefinition(ID), 'one');
});
afterEach(() => {
  database.close();
  rmSync(dir, { recursive: true });
});

const wait = (condition: WaitCondition): Promise<Ending> =>
  waitBox({ store }, ID, condition, new AbortController().signal);

function run(): void {
  store.advance(ID, 'start', { run: store.expect(ID).state.run + 1, error: '' });
  store.advance(ID, 'started', { startedAt: '2026-01-01T00:00:00.000000000Z' });
}

it.each<WaitCondition>(['not-running', 'next-exit'])(
  'a wait for %s tells why a run did not end on its own',
  async (condition) => {
    run();
    const waiting = wait(condition);
    store.advance(ID, 'gone', LOST);
    expect(await waiting).toEqual(LOST);
    expect(await wait('not-running')).toEqual(LOST);
  },
);

it('a wait for the removal tells why the last run did not end on its own', async () => {
  const waiting = wait('removed');
  run();
  store.advance(ID, 'gone', LOST);
  store.advance(ID, 'remove');
  store.remove(ID);
  expect(await waiting).toEqual(LOST);
});

it('a wait tells of each end of a run that a policy will repeat', async () => {
  run();
  const waiting = wait('not-running');
  store.advance(ID, 'gone-restart', LOST);
  expect(await waiting).toEqual(LOST);
});

it('a wait has no reason for a run that ended on its own', async () => {
  run();
  const waiting = wait('next-exit');
  store.advance(ID, 'ended', { exitCode: 3 });
  store.advance(ID, 'gone');
  expect(await waiting).toEqual({ exitCode: 3, error: '' });
});

it('a wait does not report why a start failed', async () => {
  store.advance(ID, 'start', { run: 1 });
  const first = wait('not-running');
  store.advance(ID, 'undone-created', REFUSED);
  expect(await first).toEqual({ exitCode: 127, error: '' });
  expect(await wait('not-running')).toEqual({ exitCode: 127, error: '' });
  run();
  store.advance(ID, 'gone', LOST);
  store.advance(ID, 'start', { run: 3, error: '' });
  const again = wait('next-exit');
  store.advance(ID, 'undone-exited', REFUSED);
  expect(await again).toEqual({ exitCode: 127, error: '' });
});
