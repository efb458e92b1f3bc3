/**
 * `DELETE /containers/{id}`.
 *
 * @module
 */
import type { OrphanHost } from '../../../boxes/adopt/orphaned.ts';
import type { ConnectHost } from '../../../boxes/verbs/connect.ts';
import { removeBox } from '../../../boxes/verbs/remove-box.ts';
import { removeLink } from '../../../boxes/verbs/remove-link.ts';
import { empty } from '../../http/answer.ts';
import { EMPTY } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { flag, noBody, query } from '../query.ts';

export const REMOVE_ROUTES: readonly Route<OrphanHost & ConnectHost>[] = [
  // A link is named by two names with a slash between them.
  route('DELETE', '/containers/:id{.+}', {
    access: 'owner',
    summary: 'Remove a box, or a link',
    answers: { 204: EMPTY },
    query: query({ v: flag, force: flag, link: flag }),
    body: noBody,
    handler: async ({ id, query }, rt) => {
      if (query.link) {
        await removeLink(rt, id);
        return empty();
      }
      const { force, v: volumes } = query;
      await removeBox(rt, rt.store.resolve(id).definition.id, { force, volumes });
      return empty();
    },
  }),
];
