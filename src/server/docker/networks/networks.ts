/**
 * Networks and volumes as far as there are any: each box has a network of its own, which Docker's clients know as
 * `bridge`, or none; there are no named volumes, and no build cache.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Document } from '../../../docker-api/document.ts';
import { GUEST_NETWORK } from '../../../engine/network.ts';
import { A3sError } from '../../../errors.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { filters } from '../filters.ts';
import { noBody, query } from '../query.ts';

const access = 'owner';

const nothing = z.strictObject({});
const none = z.array(z.never());

const Network = z.strictObject({
  Name: z.enum(['bridge', 'none']),
  Id: z.string(),
  Created: z.string(),
  Scope: z.literal('local'),
  Driver: z.enum(['bridge', 'null']),
  EnableIPv6: z.literal(false),
  IPAM: z.strictObject({
    Driver: z.literal('default'),
    Options: z.null(),
    Config: z.array(z.strictObject({ Subnet: z.string(), Gateway: z.string() })),
  }),
  Internal: z.literal(false),
  Attachable: z.literal(false),
  Ingress: z.literal(false),
  ConfigFrom: z.strictObject({ Network: z.literal('') }),
  ConfigOnly: z.literal(false),
  /** Boxes do not see each other in it. */
  Containers: nothing,
  Options: nothing,
  Labels: nothing,
});
type Network = Document<typeof Network>;

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
    summary: 'The networks that a box can be in',
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
          // Neither has a label, and those that are always there never dangle.
          label === undefined &&
          (dangling?.some((value) => ['false', '0'].includes(value)) ?? true),
      );
      return json(found);
    },
  }),
  route('GET', '/networks/:id', {
    access,
    summary: 'One network',
    query: query({}),
    body: noBody,
    answers: { 200: Network },
    handler: ({ id }) => json(networkOf(id)),
  }),
  route('DELETE', '/networks/:id', {
    access,
    summary: 'Removes a network',
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
    summary: 'Removes networks that nothing uses',
    query: prunes,
    body: noBody,
    answers: { 200: z.strictObject({ NetworksDeleted: none }) },
    handler: () => json({ NetworksDeleted: [] }),
  }),
  route('GET', '/volumes', {
    access,
    summary: 'The volumes',
    query: query({ filters: filters(['dangling', 'driver', 'label', 'name']) }),
    body: noBody,
    answers: { 200: z.strictObject({ Volumes: none, Warnings: none }) },
    handler: () => json({ Volumes: [], Warnings: [] }),
  }),
  ...(['GET', 'DELETE'] as const).map((method) =>
    route(method, '/volumes/:id', {
      access,
      summary: method === 'GET' ? 'One volume' : 'Removes a volume',
      query: query({}),
      body: noBody,
      answers: {},
      handler: ({ id }) => {
        throw new A3sError('no-such-volume', `get ${id.slice(0, 128)}: no such volume`);
      },
    }),
  ),
  route('POST', '/volumes/prune', {
    access,
    summary: 'Removes volumes that nothing uses',
    query: prunes,
    body: noBody,
    answers: { 200: z.strictObject({ VolumesDeleted: none, SpaceReclaimed: z.literal(0) }) },
    handler: () => json({ VolumesDeleted: [], SpaceReclaimed: 0 }),
  }),
  route('POST', '/build/prune', {
    access,
    summary: 'Empties the build cache',
    query: query({}),
    body: noBody,
    answers: { 200: z.strictObject({ CachesDeleted: none, SpaceReclaimed: z.literal(0) }) },
    handler: () => json({ CachesDeleted: [], SpaceReclaimed: 0 }),
  }),
  route('GET', '/plugins', {
    access,
    summary: 'The plugins',
    query: query({}),
    body: noBody,
    answers: { 200: none },
    handler: () => json([]),
  }),
];

/** By its name, or a part of its id. @throws A3sError `no-such-network` */
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
