/**
 * `POST /containers/{id}/kill`.
 *
 * @module
 */
import * as z from 'zod';
import { killBox } from '../../../../boxes/verbs/kill.ts';
import type { SignalHost } from '../../../../boxes/verbs/main-signals.ts';
import { empty } from '../../../http/answer.ts';
import { EMPTY } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { noBody, query } from '../../query.ts';

export const KILL_ROUTES: readonly Route<SignalHost>[] = [
  route('POST', '/containers/:id/kill', {
    access: 'owner',
    summary: 'Send a signal to the main process',
    answers: { 204: EMPTY },
    query: query({ signal: z.string().max(32).default('SIGKILL') }),
    body: noBody,
    handler: async ({ id, query }, rt) => {
      await killBox(rt, rt.store.resolve(id).definition.id, query.signal || 'SIGKILL');
      return empty();
    },
  }),
];
