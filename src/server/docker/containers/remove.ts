/**
 * `DELETE /containers/{id}`.
 *
 * @module
 */
import type { OrphanHost } from '../../../boxes/adopt/orphaned.ts';
import { removeBox } from '../../../boxes/verbs/remove-box.ts';
import { A3sError } from '../../../errors.ts';
import { empty } from '../../http/answer.ts';
import { EMPTY } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { flag, noBody, query } from '../query.ts';

export const REMOVE_ROUTES: readonly Route<OrphanHost>[] = [
  route('DELETE', '/containers/:id', {
    access: 'owner',
    summary: 'Remove a box',
    answers: { 204: EMPTY },
    query: query({ v: flag, force: flag, link: flag }),
    body: noBody,
    handler: async ({ id, query }, rt) => {
      if (query.link) {
        throw new A3sError(
          'unsupported-option',
          'Cannot remove a link: those of user-defined networks end with the box',
          { remedy: 'Remove the box, or disconnect it from the network.' },
        );
      }
      const { force, v: volumes } = query;
      await removeBox(rt, rt.store.resolve(id).definition.id, { force, volumes });
      return empty();
    },
  }),
];
