/**
 * `POST /containers/{id}/stop`.
 *
 * @module
 */
import * as z from 'zod';
import { type StopHost, stopBox } from '../../../../boxes/verbs/stop.ts';
import { empty } from '../../../http/answer.ts';
import { EMPTY } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { noBody, optionalInt, query } from '../../query.ts';

export const STOP_ROUTES: readonly Route<StopHost>[] = [
  route('POST', '/containers/:id/stop', {
    access: 'owner',
    summary: 'Stop a box by its signal, and by SIGKILL after a timeout',
    answers: { 204: EMPTY, 304: EMPTY },
    query: query({ t: optionalInt, signal: z.string().max(32).optional() }),
    body: noBody,
    handler: async ({ id, query }, rt) => {
      const options = { timeoutSeconds: query.t, signal: query.signal || undefined };
      const stopped = await stopBox(rt, rt.store.resolve(id).definition.id, options);
      return empty(stopped ? 204 : 304);
    },
  }),
];
