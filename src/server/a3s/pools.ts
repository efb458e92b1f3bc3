/**
 * The routes of pools: how many microVMs wait for boxes, and of which shape.
 *
 * @module
 */
import { PoolDefinition } from '../../boxes/pool/definition.ts';
import type { Runtime } from '../../boxes/runtime.ts';
import { PoolBody, PoolSummary, Pools } from '../../docker-api/a3s/pool.ts';
import { noBody, query } from '../docker/query.ts';
import { empty, json } from '../http/answer.ts';
import { parseRequest } from '../http/parse.ts';
import { EMPTY } from '../http/replies.ts';
import { type Route, route } from '../http/route.ts';

const access = 'owner';

export const POOL_ROUTES: readonly Route<Pick<Runtime, 'pools'>>[] = [
  route('GET', '/a3s/v1/pools', {
    access,
    summary: 'List pools',
    answers: { 200: Pools },
    query: query({}),
    body: noBody,
    handler: (_, { pools }) => json({ pools: pools.list() }),
  }),
  route('GET', '/a3s/v1/pools/:id', {
    access,
    summary: 'Inspect a pool',
    answers: { 200: PoolSummary },
    query: query({}),
    body: noBody,
    handler: ({ id }, { pools }) => json(pools.inspect(id)),
  }),
  route('PUT', '/a3s/v1/pools/:id', {
    access,
    summary: 'Create or change a pool',
    answers: { 200: PoolSummary },
    query: query({}),
    body: PoolBody,
    handler: async ({ id, body }, { pools }) => {
      const name = parseRequest(PoolDefinition.shape.name, id);
      return json(await pools.set({ name, ...body }));
    },
  }),
  route('POST', '/a3s/v1/pools/:id/wait', {
    access,
    summary: 'Wait until a pool is full',
    answers: { 200: PoolSummary },
    query: query({}),
    body: noBody,
    handler: async ({ id, signal }, { pools }) => json(await pools.full(id, signal)),
  }),
  route('DELETE', '/a3s/v1/pools/:id', {
    access,
    summary: 'Remove a pool and end its microVMs',
    answers: { 204: EMPTY },
    query: query({}),
    body: noBody,
    handler: async ({ id }, { pools }) => {
      await pools.remove(id);
      return empty();
    },
  }),
];
