/**
 * `POST /containers/{id}/resize`.
 *
 * @module
 */
import type { Runtime } from '../../../../boxes/runtime.ts';
import { resizeBox } from '../../../../boxes/verbs/resize.ts';
import { empty } from '../../../http/answer.ts';
import { EMPTY } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { noBody, sizeQuery } from '../../query.ts';

export const RESIZE_ROUTES: readonly Route<Pick<Runtime, 'store' | 'running'>>[] = [
  route('POST', '/containers/:id/resize', {
    access: 'owner',
    summary: 'Resize the terminal of a box',
    answers: { 200: EMPTY },
    query: sizeQuery,
    body: noBody,
    handler: async ({ id, query }, rt) => {
      const size = { rows: query.h, columns: query.w };
      await resizeBox(rt, rt.store.resolve(id).definition.id, size);
      return empty(200);
    },
  }),
];
