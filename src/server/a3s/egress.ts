/**
 * The route that says what the network policies of a box make of a connection.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../boxes/runtime.ts';
import { explainEgress } from '../../boxes/verbs/explain-egress.ts';
import { EgressExplained } from '../../docker-api/a3s/egress.ts';
import { noBody, query } from '../docker/query.ts';
import { json } from '../http/answer.ts';
import { type Route, route } from '../http/route.ts';

export const EGRESS_ROUTES: readonly Route<Pick<Runtime, 'store' | 'networks'>>[] = [
  route('GET', '/a3s/v1/boxes/:id/egress', {
    access: 'owner',
    summary: 'Say what would happen to a connection of a box, and by which rule',
    answers: { 200: EgressExplained },
    query: query({
      host: z.string().min(1).max(255),
      port: z.coerce.number().int().min(1).max(65_535),
      protocol: z.enum(['tcp', 'udp']).default('tcp'),
    }),
    body: noBody,
    handler: async ({ id, query: asked }, rt) => {
      const networks = await explainEgress(rt, rt.store.resolve(id), asked);
      return json({
        Target: `${asked.host}:${asked.port}/${asked.protocol}`,
        Networks: networks.map(({ network, allowed, of, rule, notes }) => ({
          ...{
            Network: network,
            Allowed: allowed,
            Policy: of ?? ('' as const),
            Rule: rule,
            Notes: [...notes],
          },
        })),
      });
    },
  }),
];
