import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Database, openDatabase } from '../../state/database.ts';
import { keepReserve } from '../../state/reserve.ts';
import { testContainer, testPod } from '../testing/definitions.ts';
import { POD_MIGRATIONS, PodStore } from './store.ts';

let dir: string;
let database: Database;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'a3s-pods-'));
  database = openDatabase(join(dir, 'state.db'), POD_MIGRATIONS);
});
afterEach(() => {
  database.close();
  rmSync(dir, { recursive: true });
});

const POD = 'a1'.repeat(32);
const OTHER = 'a2'.repeat(32);
const C1 = 'c1'.repeat(32);

it('keeps every change of a pod and its containers across a restart', () => {
  const store = new PodStore(database);
  store.insertPod(testPod(POD));
  store.amendPod(POD, { vm: { start: 'template', source: 'key' } });
  store.advancePod(POD, 'started');
  store.insertContainer(testContainer(C1, POD));
  store.advanceContainer(C1, 'start');
  store.advanceContainer(C1, 'started', { startedAt: 'then' });
  store.redefineContainer(C1, { resources: { pids: 7 } });
  const again = new PodStore(database);
  expect(again.expectPod(POD)).toEqual(store.expectPod(POD));
  expect(again.expectContainer(C1)).toEqual(store.expectContainer(C1));
  expect(again.expectContainer(C1)).toMatchObject({
    definition: { resources: { pids: 7 } },
    state: { status: 'running', startedAt: 'then' },
  });
});

it('refuses a transition that a status does not have', () => {
  const store = new PodStore(database);
  store.insertPod(testPod(POD));
  store.insertContainer(testContainer(C1, POD));
  const conflict = expect.objectContaining({ code: 'conflict' });
  expect(() => store.advancePod(POD, 'remove')).toThrow(conflict);
  expect(() => store.advanceContainer(C1, 'started')).toThrow(conflict);
  store.advanceContainer(C1, 'ended', { exitCode: 137 });
  expect(() => store.advanceContainer(C1, 'start')).toThrow(conflict);
  expect(store.expectContainer(C1).state).toMatchObject({ status: 'exited', exitCode: 137 });
});

it('refuses the name of another pod, or of another container of the pod, with its id', () => {
  const store = new PodStore(database);
  const { metadata } = store.insertPod(testPod(POD)).definition;
  const taken = (id: string) => expect.objectContaining({ code: 'name-in-use', message: id });
  expect(() => store.insertPod(testPod(OTHER, { metadata }))).toThrow(
    taken(`The name ${POD}_default_uid-${POD}_0 is reserved for ${POD}`),
  );
  store.insertPod(testPod(OTHER, { metadata: { ...metadata, attempt: 1 } }));
  const name = { metadata: { name: 'web', attempt: 0 } };
  store.insertContainer(testContainer(C1, POD, name));
  expect(() => store.insertContainer(testContainer('c2', POD, name))).toThrow(
    taken(`The name web_0_${POD} is reserved for ${C1}`),
  );
  store.insertContainer(testContainer('c3', OTHER, name));
  expect(store.containers(POD).map(({ definition }) => definition.id)).toEqual([C1]);
});

it('finds records by the beginning of an id that no other has', () => {
  const store = new PodStore(database);
  store.insertPod(testPod(POD));
  store.insertPod(testPod(OTHER));
  expect(store.fullId('pod', 'a1a1')).toBe(POD);
  for (const none of ['a', 'a1', 'b1b1', '', POD]) expect(store.fullId('pod', none)).toBe(none);
  expect(() => store.expectPod('a')).toThrow(expect.objectContaining({ code: 'no-such-pod' }));
  expect(() => store.expectContainer('a')).toThrow(
    expect.objectContaining({ code: 'no-such-container' }),
  );
});

it('claims what its microVMs and containers use, as long as they may', () => {
  const store = new PodStore(database);
  store.insertPod(testPod(POD, { identity: { uid: 7, gid: 7 }, bootSet: 'b' }));
  store.amendPod(POD, { vm: { start: 'template', source: 'key' } });
  store.insertContainer(testContainer(C1, POD));
  expect([store.uids(), store.imageIds(), store.bootSets()]).toEqual([[7], ['sha256:1'], ['b']]);
  expect([store.vmIds(), store.templateKeys()]).toEqual([[POD], ['key']]);
  store.advancePod(POD, 'stopped');
  expect([store.vmIds(), store.templateKeys()]).toEqual([[], []]);
  store.removeContainer(C1);
  store.removePod(POD);
  expect([store.uids(), store.imageIds(), store.bootSets()]).toEqual([[], [], []]);
});

it('refuses a record that it cannot read, and leaves it there', () => {
  new PodStore(database).insertPod(testPod(POD));
  database.prepare('UPDATE pods SET state = ?').run('{"status":"dancing"}');
  expect(() => new PodStore(database)).toThrow(expect.objectContaining({ code: 'state-unusable' }));
  expect(database.prepare('SELECT id FROM pods').all()).toHaveLength(1);
});

it('writes ends and removals with the reserve for a full disk, and nothing else', () => {
  const store = new PodStore(database);
  using _reserve = keepReserve(database, join(dir, 'reserve'), { onChange: () => undefined });
  /** The disk has no room for the first write. */
  const onFullDisk = (write: () => unknown): void => {
    vi.spyOn(database, 'prepare').mockImplementationOnce(() => {
      throw new Sqlite.SqliteError('database or disk is full', 'SQLITE_FULL');
    });
    write();
  };
  const full = expect.objectContaining({ code: 'SQLITE_FULL' });
  store.insertPod(testPod(POD));
  expect(() => onFullDisk(() => store.advancePod(POD, 'started'))).toThrow(full);
  store.advancePod(POD, 'started');
  store.insertContainer(testContainer(C1, POD));
  expect(() => onFullDisk(() => store.advanceContainer(C1, 'start'))).toThrow(full);
  onFullDisk(() => store.advanceContainer(C1, 'ended', { exitCode: 3 }));
  onFullDisk(() => store.advanceContainer(C1, 'remove'));
  onFullDisk(() => store.removeContainer(C1));
  onFullDisk(() => store.advancePod(POD, 'stopped'));
  onFullDisk(() => store.advancePod(POD, 'remove'));
  onFullDisk(() => store.removePod(POD));
  expect(new PodStore(database).pods()).toEqual([]);
});
