/**
 * The route that changes the limits and the restart policy of a box.
 *
 * @module
 */
import { type UpdateHost, updateBox } from '../../../boxes/verbs/update.ts';
import { Update, Updated } from '../../../docker-api/containers/update.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { query } from '../query.ts';
import { parseUpdate } from './parse-update.ts';

export const UPDATE_ROUTES: readonly Route<UpdateHost>[] = [
  route('POST', '/containers/:id/update', {
    access: 'owner',
    summary: 'Change the limits and the restart policy of a box',
    answers: { 200: Updated },
    query: query({}),
    // As in Docker, a missing box is reported before an unsupported option.
    body: { schema: Update.partial(), read: (document) => () => parseUpdate(document) },
    handler: async ({ id, body }, rt) => {
      const boxId = rt.store.resolve(id).definition.id;
      const { request, warnings } = body();
      await updateBox(rt, boxId, request);
      return json({ Warnings: warnings });
    },
  }),
];
