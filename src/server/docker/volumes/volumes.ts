/**
 * The routes of volumes.
 *
 * @module
 */
import type { Runtime } from '../../../boxes/runtime.ts';
import {
  VolumeCreateBody,
  VolumeList,
  VolumesPruned,
  Volume as Wire,
} from '../../../docker-api/volume.ts';
import { A3sError } from '../../../errors.ts';
import type { Volume } from '../../../volumes/volume.ts';
import { empty, json } from '../../http/answer.ts';
import { EMPTY } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import {
  type Filters,
  filterFlag,
  filters,
  matchesLabel,
  matchesLabels,
  matchesName,
} from '../filters.ts';
import { goBody } from '../go-document.ts';
import { flag, noBody, query } from '../query.ts';
import { parseDriver } from './driver.ts';

const access = 'owner';

const LIST_FILTERS = ['dangling', 'driver', 'label', 'name'] as const;
const PRUNE_FILTERS = ['label', 'label!', 'all', 'until'] as const;
/** From here on a prune leaves named volumes alone, unless it is asked for all. */
const ANONYMOUS_ALONE = 42;

export const VOLUME_ROUTES: readonly Route<Pick<Runtime, 'volumes' | 'events'>>[] = [
  route('GET', '/volumes', {
    access,
    summary: 'List volumes',
    query: query({ filters: filters(LIST_FILTERS) }),
    body: noBody,
    answers: { 200: VolumeList },
    handler: ({ query: { filters: wanted } }, rt) => {
      const found = rt.volumes.list().filter(listTest(rt, wanted));
      return json({ Volumes: found.map((volume) => describe(rt, volume)), Warnings: [] });
    },
  }),
  route('POST', '/volumes/create', {
    access,
    summary: 'Create a volume, or return the existing one of that name',
    query: query({}),
    body: goBody(VolumeCreateBody),
    answers: { 201: Wire },
    handler: async ({ body: { Name, Driver, DriverOpts, Labels } }, rt) => {
      const kind = parseDriver(Driver, DriverOpts);
      const name = Name === '' ? undefined : Name;
      return json(describe(rt, await rt.volumes.create({ name, labels: Labels, kind })), 201);
    },
  }),
  route('GET', '/volumes/:id', {
    access,
    summary: 'Inspect a volume',
    query: query({}),
    body: noBody,
    answers: { 200: Wire },
    handler: async ({ id }, rt) => json(await inspect(rt, rt.volumes.expect(id))),
  }),
  route('DELETE', '/volumes/:id', {
    access,
    summary: 'Remove a volume that no box mounts',
    query: query({ force: flag }),
    body: noBody,
    answers: { 204: EMPTY },
    handler: async ({ id, query: { force } }, rt) => {
      try {
        await rt.volumes.remove(id);
      } catch (error) {
        const isGone = error instanceof A3sError && error.code === 'no-such-volume';
        if (!force || !isGone) throw error;
      }
      return empty();
    },
  }),
  route('POST', '/volumes/prune', {
    access,
    summary: 'Remove volumes that no box mounts',
    query: query({ filters: filters(PRUNE_FILTERS) }),
    body: noBody,
    answers: { 200: VolumesPruned },
    handler: async ({ query: { filters: wanted }, apiVersion }, rt) => {
      const test = pruneTest(wanted, apiVersion < ANONYMOUS_ALONE);
      const removed: string[] = [];
      let reclaimed = 0;
      for (const volume of rt.volumes.list().filter(test)) {
        if (rt.volumes.usersOf(volume.name).length > 0) continue;
        const bytes = await rt.volumes.bytes(volume.name);
        if (!(await rt.volumes.removeUnused(volume.name))) continue;
        removed.push(volume.name);
        reclaimed += bytes;
      }
      rt.events.publish('volume', 'prune', '', { reclaimed: String(reclaimed) });
      return json({ VolumesDeleted: removed, SpaceReclaimed: reclaimed });
    },
  }),
];

/** With the bytes on the disk and the boxes that mount it, which takes a walk through its files. */
export async function describeUsage(rt: Pick<Runtime, 'volumes'>, volume: Volume): Promise<Wire> {
  const [Size, { length }] = [await rt.volumes.bytes(volume.name), rt.volumes.usersOf(volume.name)];
  return { ...describe(rt, volume), UsageData: { Size, RefCount: length } };
}

/** With what becomes of a disk: a directory has no size of its own. */
async function inspect(rt: Pick<Runtime, 'volumes'>, volume: Volume): Promise<Wire> {
  const { name, diskBytes } = volume;
  if (diskBytes === undefined) return describe(rt, volume);
  const Status = {
    SizeBytes: diskBytes,
    AllocatedBytes: await rt.volumes.bytes(name),
    Box: rt.volumes.holderOf(name) ?? '',
    ...(volume.sealed === undefined ? {} : { Sealed: true as const, Id: volume.sealed.id ?? '' }),
  };
  return { ...describe(rt, volume), Status };
}

function describe(rt: Pick<Runtime, 'volumes'>, volume: Volume): Wire {
  const { name, createdAt, labels, options } = volume;
  return {
    CreatedAt: createdAt.replace(/\.\d+Z$/, 'Z'),
    Driver: 'local',
    Labels: Object.keys(labels).length === 0 ? null : labels,
    Mountpoint: rt.volumes.mountpoint(name),
    Name: name,
    Options: Object.keys(options).length === 0 ? null : options,
    Scope: 'local',
  };
}

type ListFilters = Filters<(typeof LIST_FILTERS)[number]>;

function listTest(rt: Pick<Runtime, 'volumes'>, wanted: ListFilters): (volume: Volume) => boolean {
  const { dangling, driver, label = [], name } = wanted;
  const unused = dangling === undefined ? undefined : filterFlag('dangling', dangling);
  return (volume) =>
    (unused === undefined || (rt.volumes.usersOf(volume.name).length === 0) === unused) &&
    (driver?.includes('local') ?? true) &&
    label.every((each) => matchesLabel(volume.labels, each)) &&
    (name?.some((value) => matchesName(volume.name, value)) ?? true);
}

type PruneFilters = Filters<(typeof PRUNE_FILTERS)[number]>;

function pruneTest(wanted: PruneFilters, olderClient: boolean): (volume: Volume) => boolean {
  const { all, until } = wanted;
  if (until !== undefined) {
    throw new A3sError('invalid-argument', 'The "until" filter is not supported for volumes');
  }
  const named = olderClient || (all !== undefined && filterFlag('all', all));
  return ({ labels, anonymous }) => (named || anonymous) && matchesLabels(labels, wanted);
}
