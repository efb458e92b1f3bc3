/**
 * The route that lists the processes of a box.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { topBox } from '../../../../boxes/verbs/top.ts';
import { Processes } from '../../../../docker-api/containers/top.ts';
import { json } from '../../../http/answer.ts';
import { type Route, route } from '../../../http/route.ts';
import { noBody, query } from '../../query.ts';

export const TOP_ROUTES: readonly Route<Pick<Runtime, 'store' | 'running'>>[] = [
  route('GET', '/containers/:id/top', {
    access: 'owner',
    summary: 'List the processes of a box as ps does',
    answers: { 200: Processes },
    query: query({ ps_args: z.string().max(8192).default('') }),
    body: noBody,
    handler: async ({ id, query, signal }, rt) =>
      json(await topBox(rt, rt.store.resolve(id), query.ps_args, signal)),
  }),
];
