/**
 * The route that renames a box.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import { renameBox } from '../../../boxes/verbs/rename.ts';
import { empty } from '../../http/answer.ts';
import { EMPTY } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { noBody, query } from '../query.ts';

export const RENAME_ROUTES: readonly Route<Pick<Runtime, 'store' | 'events'>>[] = [
  route('POST', '/containers/:id/rename', {
    access: 'owner',
    summary: 'Rename a box',
    answers: { 204: EMPTY },
    query: query({ name: z.string().max(1024).default('') }),
    body: noBody,
    handler: ({ id, query }, rt) => {
      renameBox(rt, rt.store.resolve(id).definition.id, query.name);
      return empty();
    },
  }),
];
