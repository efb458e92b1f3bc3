/**
 * The routes of networks, and those of what does not exist beside them: there is no build cache,
 * and there are no plugins.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import type { ConnectHost } from '../../../boxes/verbs/connect.ts';
import {
  Network,
  NetworkCreateBody,
  NetworkCreated,
  NetworksPruned,
} from '../../../docker-api/network.ts';
import { A3sError } from '../../../errors.ts';
import { PREDEFINED_NETWORKS } from '../../../networks/predefined.ts';
import { empty, json } from '../../http/answer.ts';
import { EMPTY } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { filters } from '../filters.ts';
import { goBody } from '../go-document.ts';
import { flag, noBody, query } from '../query.ts';
import { CONNECTION_ROUTES } from './connections.ts';
import { networkRequest } from './create-network.ts';
import { describeNetwork, summarizeNetwork } from './describe-network.ts';
import { LIST_FILTERS, listTest, PRUNE_FILTERS, pruneTest } from './network-filters.ts';
import { networkWarnings } from './network-warnings.ts';

const access = 'owner';

const none = z.array(z.never());

type NetworkHost = ConnectHost & Pick<Runtime, 'events'>;

export const NETWORK_ROUTES: readonly Route<NetworkHost>[] = [
  route('GET', '/networks', {
    access,
    summary: 'List networks',
    query: query({ filters: filters(LIST_FILTERS) }),
    body: noBody,
    answers: { 200: z.array(Network) },
    handler: ({ query: { filters: wanted } }, rt) => {
      const found = [...PREDEFINED_NETWORKS, ...rt.networks.list()].filter(listTest(rt, wanted));
      return json(found.map(summarizeNetwork));
    },
  }),
  route('GET', '/networks/:id', {
    access,
    summary: 'Inspect a network',
    // There are no services, which `verbose` would show.
    query: query({ verbose: flag, scope: z.string().max(64).default('') }),
    body: noBody,
    answers: { 200: Network },
    handler: ({ id, query: { scope } }, rt) => {
      if (!['', 'local'].includes(scope)) {
        throw new A3sError('no-such-network', `network ${id.slice(0, 128)} not found`, {
          remedy: 'All networks have the scope local.',
        });
      }
      return json(describeNetwork(rt, rt.networks.find(id)));
    },
  }),
  route('POST', '/networks/create', {
    access,
    summary: 'Create a network',
    query: query({}),
    body: goBody(NetworkCreateBody),
    answers: { 201: NetworkCreated },
    handler: async ({ body }, rt) => {
      const { id } = await rt.networks.create(networkRequest(body));
      const [Warning = ''] = await networkWarnings(rt);
      return json({ Id: id, Warning }, 201);
    },
  }),
  route('DELETE', '/networks/:id', {
    access,
    summary: 'Remove a network that no box is attached to',
    query: query({}),
    body: noBody,
    answers: { 204: EMPTY },
    handler: ({ id }, rt) => {
      rt.networks.remove(id);
      return empty();
    },
  }),
  route('POST', '/networks/prune', {
    access,
    summary: 'Remove networks that no box is attached to',
    query: query({ filters: filters(PRUNE_FILTERS) }),
    body: noBody,
    answers: { 200: NetworksPruned },
    handler: ({ query: { filters: wanted } }, rt) => {
      const removed = rt.networks.prune(pruneTest(wanted, Date.now()));
      rt.events.publish('network', 'prune', '', { reclaimed: '0' });
      return json({ NetworksDeleted: removed.map(({ name }) => name) });
    },
  }),
  ...CONNECTION_ROUTES,
  route('GET', '/plugins', {
    access,
    summary: 'List plugins',
    query: query({}),
    body: noBody,
    answers: { 200: none },
    handler: () => json([]),
  }),
];
