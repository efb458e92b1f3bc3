/**
 * The routes that pause and unpause a box.
 *
 * @module
 */
import { pauseBox, type UnpauseHost, unpauseBox } from '../../../../boxes/verbs/pause.ts';
import { empty } from '../../../http/answer.ts';
import { EMPTY } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { noBody, query } from '../../query.ts';

export const PAUSE_ROUTES: readonly Route<UnpauseHost>[] = [
  route('POST', '/containers/:id/pause', {
    access: 'owner',
    summary: 'Pause all processes of a box',
    answers: { 204: EMPTY },
    query: query({}),
    body: noBody,
    handler: async ({ id }, rt) => {
      await pauseBox(rt, rt.store.resolve(id).definition.id);
      return empty();
    },
  }),
  route('POST', '/containers/:id/unpause', {
    access: 'owner',
    summary: 'Resume a paused box',
    answers: { 204: EMPTY },
    query: query({}),
    body: noBody,
    handler: async ({ id }, rt) => {
      await unpauseBox(rt, rt.store.resolve(id).definition.id);
      return empty();
    },
  }),
];
