/**
 * The routes of snapshots, and of boxes that are made from them.
 *
 * @module
 */
import { createFork, type ForkHost } from '../../boxes/create/create-fork.ts';
import type { Runtime } from '../../boxes/runtime.ts';
import {
  createDiskSnapshot,
  type DiskSnapshotHost,
  restoreSnapshot,
} from '../../boxes/verbs/disk-snapshot.ts';
import { pruneSnapshots } from '../../boxes/verbs/prune-snapshots.ts';
import { createSnapshot, removeSnapshot, type SnapshotHost } from '../../boxes/verbs/snapshot.ts';
import { ForkBody, Forked } from '../../docker-api/a3s/fork.ts';
import {
  Snapshot,
  SnapshotBody,
  SnapshotCreated,
  Snapshots,
  SnapshotsPruned,
} from '../../docker-api/a3s/snapshot.ts';
import type { SnapshotRecord } from '../../snapshots/snapshot.ts';
import { trustOptions, trustQuery } from '../docker/images/trust-query.ts';
import { flag, noBody, query } from '../docker/query.ts';
import { empty, json } from '../http/answer.ts';
import { EMPTY } from '../http/replies.ts';
import { type Route, route } from '../http/route.ts';

const access = 'owner';

/** The notice for people who make a snapshot, or start from one. */
const DROPPED =
  'Network connections out of the box are not copied: in boxes from the snapshot they are reset.';

export const SNAPSHOT_ROUTES: readonly Route<SnapshotHost & DiskSnapshotHost & ForkHost>[] = [
  route('GET', '/a3s/v1/snapshots', {
    access,
    summary: 'List snapshots',
    answers: { 200: Snapshots },
    query: query({}),
    body: noBody,
    handler: async (_, rt) =>
      json({ snapshots: await Promise.all(rt.snapshots.list().map((each) => show(rt, each))) }),
  }),
  route('GET', '/a3s/v1/snapshots/:id', {
    access,
    summary: 'Inspect a snapshot',
    answers: { 200: Snapshot },
    query: query({}),
    body: noBody,
    handler: async ({ id }, rt) => json(await show(rt, rt.snapshots.resolve(id))),
  }),
  route('POST', '/a3s/v1/snapshots', {
    access,
    summary: 'Save a running box with its memory, or the disk of a box',
    answers: { 201: SnapshotCreated },
    query: query({}),
    body: SnapshotBody,
    handler: async ({ body }, rt) => {
      const box = rt.store.resolve(body.box).definition.id;
      const make = body.memory ? createSnapshot : createDiskSnapshot;
      const made = await make(rt, box, body.name);
      const warnings = body.memory ? [DROPPED] : [];
      return json({ ...(await show(rt, made)), warnings }, 201);
    },
  }),
  route('POST', '/a3s/v1/snapshots/:id/restore', {
    access,
    summary: 'Give a stopped box the disk of its snapshot back',
    answers: { 204: EMPTY },
    query: query({}),
    body: noBody,
    handler: async ({ id }, rt) => {
      await restoreSnapshot(rt, id);
      return empty();
    },
  }),
  route('POST', '/a3s/v1/snapshots/prune', {
    access,
    summary: 'Remove snapshots whose memory is gone, or that no box is from',
    answers: { 200: SnapshotsPruned },
    query: query({ all: flag }),
    body: noBody,
    handler: async ({ query }, rt) => json(await pruneSnapshots(rt, { all: query.all })),
  }),
  route('DELETE', '/a3s/v1/snapshots/:id', {
    access,
    summary: 'Remove a snapshot',
    answers: { 204: EMPTY },
    query: query({}),
    body: noBody,
    handler: async ({ id }, rt) => {
      await removeSnapshot(rt, id);
      return empty();
    },
  }),
  route('POST', '/a3s/v1/snapshots/:id/boxes', {
    access,
    summary: 'Create a box from a snapshot',
    answers: { 201: Forked },
    query: query({ ...trustQuery }),
    body: ForkBody,
    handler: async ({ id, query, body, headers }, rt) => {
      const box = await createFork(
        rt,
        id,
        { ...body, name: body.name },
        trustOptions(query, headers),
      );
      const { id: made, terminal } = box.definition;
      return json({ id: made, terminal, warnings: [] }, 201);
    },
  }),
];

async function show(
  rt: Pick<Runtime, 'snapshots' | 'store'>,
  record: SnapshotRecord,
): Promise<Snapshot> {
  const { id, name, kind, createdAt, box, saved } = record;
  const usable = await rt.snapshots.usable(record);
  const running = rt.store.list().filter(({ state }) => state.machine?.source === id);
  return {
    ...{ id, name, kind, createdAt, box },
    state: saved === undefined ? 'creating' : usable ? 'ready' : 'gone',
    memoryBytes: saved?.bytes ?? 0,
    diskBytes: await rt.snapshots.diskBytes(id),
    pausedMs: saved?.pausedMs ?? 0,
    boxes: running.map(({ definition }) => definition.id),
  };
}
