/**
 * `POST /containers/{id}/start`.
 *
 * @module
 */
import * as z from 'zod';
import { type StartHost, startBox } from '../../../../boxes/start/start.ts';
import { empty } from '../../../http/answer.ts';
import { EMPTY } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { trustOptions, trustQuery } from '../../images/trust-query.ts';
import { noBody, query } from '../../query.ts';

export const START_ROUTES: readonly Route<StartHost>[] = [
  route('POST', '/containers/:id/start', {
    access: 'owner',
    summary: 'Start a box',
    answers: { 204: EMPTY, 304: EMPTY },
    query: query({ detachKeys: z.string().max(256).optional(), ...trustQuery }),
    body: noBody,
    handler: async ({ id, query, headers }, rt) => {
      const options = trustOptions(query, headers);
      const started = await startBox(rt, rt.store.resolve(id).definition.id, options);
      return empty(started ? 204 : 304);
    },
  }),
];
