/**
 * Lists what a box has changed of its image.
 *
 * @module
 */
import { type CopyHost, listChanges } from '../../../../boxes/files/copy.ts';
import { Changes } from '../../../../docker-api/containers/changes.ts';
import { json } from '../../../http/answer.ts';
import { type Route, route } from '../../../http/route.ts';
import { noBody, query } from '../../query.ts';

const access = 'owner';

export const CHANGES_ROUTES: readonly Route<CopyHost>[] = [
  route('GET', '/containers/:id/changes', {
    access,
    summary: 'List the paths of a box that differ from its image',
    answers: { 200: Changes },
    query: query({}),
    body: noBody,
    handler: async ({ id, signal }, rt) => {
      const changes = await listChanges(rt, rt.store.resolve(id), signal);
      return json(changes.map(({ path: Path, kind: Kind }) => ({ Path, Kind })));
    },
  }),
];
