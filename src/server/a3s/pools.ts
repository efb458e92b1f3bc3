/**
 * The routes of pools: how many microVMs wait for boxes, and which.
 *
 * @module
 */
import * as z from 'zod';
import { PoolDefinition } from '../../boxes/pool/definition.ts';
import { noBody, query } from '../docker/query.ts';
import { empty, json } from '../http/answer.ts';
import { parseRequest } from '../http/parse.ts';
import { EMPTY } from '../http/replies.ts';
import { type Route, route } from '../http/route.ts';

const access = 'owner';

const Asked = z.strictObject({
  size: PoolDefinition.shape.size,
  cpus: PoolDefinition.shape.cpus.default(1),
  memoryBytes: PoolDefinition.shape.memoryBytes.default(0),
  network: PoolDefinition.shape.network.default('default'),
});

const Summary = PoolDefinition.extend({
  /** The memory of each microVM, in bytes. */
  machineBytes: z.int(),
  ready: z.int(),
  state: z.enum(['full', 'filling', 'failing']),
  /** Why the last fill failed; empty where it succeeded. */
  error: z.string(),
  /** Process ids of the microVMs that are ready. */
  pids: z.array(z.int()),
});

export const POOL_ROUTES: readonly Route[] = [
  route('GET', '/a3s/v1/pools', {
    access,
    summary: 'All pools',
    answers: { 200: z.strictObject({ pools: z.array(Summary) }) },
    query: query({}),
    body: noBody,
    handler: ({ rt }) => json({ pools: rt.pools.list() }),
  }),
  route('GET', '/a3s/v1/pools/:id', {
    access,
    summary: 'One pool',
    answers: { 200: Summary },
    query: query({}),
    body: noBody,
    handler: ({ rt, id }) => json(rt.pools.inspect(id)),
  }),
  route('PUT', '/a3s/v1/pools/:id', {
    access,
    summary: 'Makes a pool, or changes it',
    answers: { 200: Summary },
    query: query({}),
    body: Asked,
    handler: async ({ rt, id, body }) => {
      const name = parseRequest(PoolDefinition.shape.name, id);
      return json(await rt.pools.set({ name, ...body }));
    },
  }),
  route('POST', '/a3s/v1/pools/:id/wait', {
    access,
    summary: 'Waits until a pool is full',
    answers: { 200: Summary },
    query: query({}),
    body: noBody,
    handler: async ({ rt, id, signal }) => json(await rt.pools.full(id, signal)),
  }),
  route('DELETE', '/a3s/v1/pools/:id', {
    access,
    summary: 'Removes a pool, and ends its machines',
    answers: { 204: EMPTY },
    query: query({}),
    body: noBody,
    handler: async ({ rt, id }) => {
      await rt.pools.remove(id);
      return empty();
    },
  }),
];
