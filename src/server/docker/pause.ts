/**
 * The routes that pause a box, and have it go on.
 *
 * @module
 */
import { pauseBox, unpauseBox } from '../../boxes/pause.ts';
import { empty } from '../http/answer.ts';
import { type Route, route } from '../route.ts';
import { noBody, query } from './query.ts';

export const PAUSE_ROUTES: readonly Route[] = [
  route('POST', '/containers/:id/pause', {
    access: 'owner',
    query: query({}),
    body: noBody,
    handler: async ({ rt, id }) => {
      await pauseBox(rt, rt.store.resolve(id).definition.id);
      return empty();
    },
  }),
  route('POST', '/containers/:id/unpause', {
    access: 'owner',
    query: query({}),
    body: noBody,
    handler: async ({ rt, id }) => {
      await unpauseBox(rt, rt.store.resolve(id).definition.id);
      return empty();
    },
  }),
];
