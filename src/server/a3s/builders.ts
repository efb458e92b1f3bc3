/**
 * The routes of builders.
 *
 * @module
 */
import type { BoxBuilders } from '../../builders/box-builders.ts';
import { checkBuilderName } from '../../builders/request.ts';
import { BuilderSocket, BuilderSummary, Builders } from '../../docker-api/a3s/builder.ts';
import { flag, noBody, query } from '../docker/query.ts';
import { empty, json } from '../http/answer.ts';
import { EMPTY } from '../http/replies.ts';
import { type Route, route } from '../http/route.ts';

const access = 'owner';

export interface BuildersHost {
  readonly builders: BoxBuilders;
  readonly builderSockets: { open(name: string): Promise<string> };
}

export const BUILDERS_ROUTES: readonly Route<BuildersHost>[] = [
  route('GET', '/a3s/v1/builders', {
    access,
    summary: 'List builders',
    answers: { 200: Builders },
    query: query({}),
    body: noBody,
    handler: async (_, { builders }) => json({ builders: await builders.list() }),
  }),
  route('GET', '/a3s/v1/builders/:id', {
    access,
    summary: 'Inspect a builder',
    answers: { 200: BuilderSummary },
    query: query({}),
    body: noBody,
    handler: async ({ id }, { builders }) => json(await builders.inspect(id)),
  }),
  route('POST', '/a3s/v1/builders/:id/socket', {
    access,
    summary: 'Open the socket on which clients of Docker build with a builder',
    answers: { 200: BuilderSocket },
    query: query({}),
    body: noBody,
    handler: async ({ id }, { builderSockets }) => {
      const name = checkBuilderName(id);
      return json({ name, socket: await builderSockets.open(name) });
    },
  }),
  route('DELETE', '/a3s/v1/builders/:id', {
    access,
    summary: 'End a builder, and remove its caches',
    answers: { 204: EMPTY },
    query: query({ force: flag }),
    body: noBody,
    handler: async ({ id, query: { force } }, { builders }) => {
      await builders.remove(id, { force });
      return empty();
    },
  }),
];
