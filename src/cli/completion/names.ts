/**
 * The possible values of an operand, which the scripts request with `a3s-box __complete KIND`.
 *
 * @module
 */

import type { Pools } from '../../docker-api/a3s/pool.ts';
import type { Snapshots } from '../../docker-api/a3s/snapshot.ts';
import type { Templates } from '../../docker-api/a3s/template.ts';
import type { ContainerSummary } from '../../docker-api/containers/container.ts';
import type { ImageSummary } from '../../docker-api/images/image.ts';
import type { Network } from '../../docker-api/network.ts';
import type { VolumeList } from '../../docker-api/volume.ts';
import type { Client } from '../client/client.ts';
import { objectOf, objectsOf, stringOf, stringsOf } from '../client/json.ts';

const LISTS: Readonly<Record<string, (client: Client) => Promise<readonly string[]>>> = {
  boxes: (client) => boxNames(client, []),
  running: (client) => boxNames(client, ['running', 'paused', 'restarting']),
  paused: (client) => boxNames(client, ['paused']),
  stopped: (client) => boxNames(client, ['created', 'exited', 'dead']),
  images: async (client) => {
    const found = objectsOf<ImageSummary>(
      await client.json({ method: 'GET', path: '/images/json' }),
    );
    return found.flatMap(({ RepoTags }) => stringsOf(RepoTags));
  },
  networks: async (client) => {
    const found = objectsOf<Network>(await client.json({ method: 'GET', path: '/networks' }));
    return found.map(({ Name }) => stringOf(Name));
  },
  pools: async (client) => {
    const { pools } = objectOf<Pools>(await client.json({ method: 'GET', path: '/a3s/v1/pools' }));
    return objectsOf(pools).map(({ name }) => stringOf(name));
  },
  snapshots: async (client) => {
    const call = { method: 'GET', path: '/a3s/v1/snapshots' } as const;
    const { snapshots } = objectOf<Snapshots>(await client.json(call));
    return objectsOf(snapshots).map(({ name, id }) => stringOf(name) || stringOf(id));
  },
  templates: async (client) => {
    const call = { method: 'GET', path: '/a3s/v1/templates' } as const;
    const { templates } = objectOf<Templates>(await client.json(call));
    return objectsOf(templates).map(({ id }) => stringOf(id));
  },
  volumes: async (client) => {
    const answer = objectOf<VolumeList>(await client.json({ method: 'GET', path: '/volumes' }));
    return objectsOf(answer.Volumes).map(({ Name }) => stringOf(Name));
  },
};

/** The words for `__complete`. */
export type NameKind =
  | 'boxes'
  | 'running'
  | 'paused'
  | 'stopped'
  | 'images'
  | 'networks'
  | 'pools'
  | 'snapshots'
  | 'templates'
  | 'volumes';

/** Nothing for an unknown kind. */
export async function namesOf(client: Client, kind: string): Promise<readonly string[]> {
  const list = Object.hasOwn(LISTS, kind) ? LISTS[kind] : undefined;
  return (await list?.(client)) ?? [];
}

async function boxNames(client: Client, statuses: readonly string[]): Promise<readonly string[]> {
  const filters = statuses.length === 0 ? undefined : JSON.stringify({ status: statuses });
  const call = { method: 'GET', path: '/containers/json', query: { all: true, filters } } as const;
  const found = objectsOf<ContainerSummary>(await client.json(call));
  return found
    .flatMap(({ Names }) => stringsOf(Names))
    .map((name) => name.replace(/^\//, ''))
    .filter((name) => !name.includes('/'));
}
