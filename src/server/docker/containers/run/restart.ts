/**
 * `POST /containers/{id}/restart`.
 *
 * @module
 */
import * as z from 'zod';
import { type RestartHost, restartBox } from '../../../../boxes/verbs/restart.ts';
import { empty } from '../../../http/answer.ts';
import { EMPTY } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { trustOptions, trustQuery } from '../../images/trust-query.ts';
import { noBody, optionalInt, query } from '../../query.ts';

export const RESTART_ROUTES: readonly Route<RestartHost>[] = [
  route('POST', '/containers/:id/restart', {
    access: 'owner',
    summary: 'Stop a box if it runs, and start it',
    answers: { 204: EMPTY },
    query: query({ t: optionalInt, signal: z.string().max(32).optional(), ...trustQuery }),
    body: noBody,
    handler: async ({ id, query, headers }, rt) => {
      const how = { timeoutSeconds: query.t, signal: query.signal || undefined };
      const { id: boxId } = rt.store.resolve(id).definition;
      await restartBox(rt, boxId, how, trustOptions(query, headers));
      return empty();
    },
  }),
];
