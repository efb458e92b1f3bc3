/**
 * Networks and the build cache, as far as they exist. Each box has a network of its own, which Docker's clients know as
 * `bridge`, or none. There is no build cache.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { CachesPruned, Network, NetworksPruned } from '../../../docker-api/network.ts';
import { GUEST_NETWORK } from '../../../engine/network.ts';
import { A3sError } from '../../../errors.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { filters } from '../filters.ts';
import { noBody, query } from '../query.ts';

const access = 'owner';

const none = z.array(z.never());

const { gateway, prefixLength } = GUEST_NETWORK;
const SUBNET = `${gateway.replace(/\.\d+$/, '.0')}/${prefixLength}`;

const NETWORKS: readonly Network[] = [
  network('bridge', 'bridge', [{ Subnet: SUBNET, Gateway: gateway }]),
  network('none', 'null', []),
];

const NETWORK_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'] as const;
const prunes = query({ filters: filters(['until', 'label', 'label!', 'all']) });

export const NETWORK_ROUTES: readonly Route[] = [
  route('GET', '/networks', {
    access,
    summary: 'List networks',
    query: query({ filters: filters(NETWORK_FILTERS) }),
    body: noBody,
    answers: { 200: z.array(Network) },
    handler: ({ query: { filters: wanted } }) => {
      const { name, id, driver, scope, type, label, dangling } = wanted;
      const found = NETWORKS.filter(
        (each) =>
          (name?.some((value) => each.Name.includes(value)) ?? true) &&
          (id?.some((value) => each.Id.startsWith(value)) ?? true) &&
          (driver?.includes(each.Driver) ?? true) &&
          (scope?.includes('local') ?? true) &&
          (type?.includes('builtin') ?? true) &&
          // Neither network has a label, and built-in networks never dangle.
          label === undefined &&
          (dangling?.some((value) => ['false', '0'].includes(value)) ?? true),
      );
      return json(found);
    },
  }),
  route('GET', '/networks/:id', {
    access,
    summary: 'Inspect a network',
    query: query({}),
    body: noBody,
    answers: { 200: Network },
    handler: ({ id }) => json(networkOf(id)),
  }),
  route('DELETE', '/networks/:id', {
    access,
    summary: 'Remove a network',
    query: query({}),
    body: noBody,
    answers: {},
    handler: ({ id }) => {
      const { Name } = networkOf(id);
      throw new A3sError(
        'unsupported-option',
        `${Name} is a pre-defined network and cannot be removed`,
      );
    },
  }),
  route('POST', '/networks/prune', {
    access,
    summary: 'Remove unused networks',
    query: prunes,
    body: noBody,
    answers: { 200: NetworksPruned },
    handler: () => json({ NetworksDeleted: [] }),
  }),
  route('POST', '/build/prune', {
    access,
    summary: 'Prune the build cache',
    query: query({}),
    body: noBody,
    answers: { 200: CachesPruned },
    handler: () => json({ CachesDeleted: [], SpaceReclaimed: 0 }),
  }),
  route('GET', '/plugins', {
    access,
    summary: 'List plugins',
    query: query({}),
    body: noBody,
    answers: { 200: none },
    handler: () => json([]),
  }),
];

/** Finds a network by its name, or by a prefix of its id. @throws A3sError `no-such-network` */
export function networkOf(reference: string): Network {
  const found = NETWORKS.find(
    ({ Name, Id }) => Name === reference || (reference.length >= 12 && Id.startsWith(reference)),
  );
  if (found !== undefined) return found;
  throw new A3sError('no-such-network', `network ${reference.slice(0, 128)} not found`);
}

function network(
  Name: Network['Name'],
  Driver: Network['Driver'],
  Config: Network['IPAM']['Config'],
): Network {
  return {
    Name,
    Id: createHash('sha256').update(`network ${Name}`).digest('hex'),
    Created: '1970-01-01T00:00:00Z',
    Scope: 'local',
    Driver,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: {},
  };
}
