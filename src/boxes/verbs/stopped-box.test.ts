import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { KeyedLock } from '../../async/keyed-lock.ts';
import { type Database, openDatabase } from '../../state/database.ts';
import { BOX_MIGRATIONS, BoxStore } from '../record/store.ts';
import { Execs } from '../run/execs.ts';
import { RunningBoxes } from '../run/running-box.ts';
import { Events } from '../services/events.ts';
import { testDefinition } from '../testing/definition.ts';
import { createExec, type ExecRequest } from './exec.ts';
import { killBox } from './kill.ts';
import { pauseBox } from './pause.ts';
import { renameBox } from './rename.ts';
import { resizeBox } from './resize.ts';
import { statsOf } from './stats.ts';
import { topBox } from './top.ts';
import { updateBox } from './update.ts';

const ID = `1${'a'.repeat(63)}`;
const GIB = 2 ** 30;
const EXEC: ExecRequest = {
  ...{ command: ['true'], env: [], cwd: '', user: '', terminal: false, size: undefined },
  attach: { stdin: false, stdout: true, stderr: true },
  detachKeys: new Uint8Array(),
  privileged: false,
};
const { signal } = new AbortController();

let dir: string;
let database: Database;
let store: BoxStore;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'a3s-verbs-'));
  database = openDatabase(join(dir, 'state.db'), BOX_MIGRATIONS);
  store = new BoxStore(database);
  store.insert(testDefinition(ID), 'one');
});
afterEach(() => {
  database.close();
  rmSync(dir, { recursive: true });
});

const running = new RunningBoxes();
const networks = { linksTo: () => undefined };
const locks = new KeyedLock();
const log = { info: () => undefined, error: () => undefined };
const notRunning = expect.objectContaining({ code: 'box-not-running' });

/** The actions that were published while `work` was done. */
async function published(events: Events, work: () => unknown): Promise<string[]> {
  const until = new AbortController();
  const seen = (async () => {
    const actions: string[] = [];
    for await (const { action } of events.follow(
      { since: undefined, until: undefined },
      until.signal,
    )) {
      actions.push(action);
    }
    return actions;
  })();
  await work();
  until.abort();
  return await seen;
}

it('refuses for a box that does not run what only a running one can do, and publishes nothing', async () => {
  const events = new Events();
  const actions = await published(events, async () => {
    await expect(pauseBox({ store, running, events, locks, log }, ID)).rejects.toEqual(notRunning);
    await expect(killBox({ store, running, events, locks, log }, ID, 'KILL')).rejects.toEqual(
      notRunning,
    );
    await expect(resizeBox({ store, running }, ID, { rows: 1, columns: 1 })).rejects.toEqual(
      notRunning,
    );
    await expect(topBox({ running }, store.expect(ID), '-ef', signal)).rejects.toEqual(notRunning);
    const execs = new Execs();
    expect(() => createExec({ store, running, execs, events, networks }, ID, EXEC)).toThrow(
      notRunning,
    );
    expect(execs.ofBox(ID)).toEqual([]);
  });
  expect(actions).toEqual([]);
});

it('reads no statistics of a box that does not run', async () => {
  expect(await statsOf({ store, running }, ID, signal)).toBeUndefined();
});

it('renames and updates a box that does not run, on record and as events', async () => {
  const events = new Events();
  const host = { cpus: 2, memoryBytes: 8 * GIB, architecture: 'amd64' };
  const actions = await published(events, async () => {
    renameBox({ store, events }, ID, 'two');
    await updateBox({ host, store, running, events, locks, log }, ID, {
      ...{ memoryBytes: GIB, limits: {}, disk: {} },
    });
  });
  expect(actions).toEqual(['rename', 'update']);
  expect(store.expect(ID)).toMatchObject({ name: 'two', definition: { memoryBytes: GIB } });
});
