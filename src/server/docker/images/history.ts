/**
 * `docker history`.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import { HistoryEntry } from '../../../docker-api/images/image.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { noBody, query } from '../query.ts';

const access = 'owner';

export const HISTORY_ROUTES: readonly Route<Pick<Runtime, 'images'>>[] = [
  route('GET', '/images/:name{.+}/history', {
    access,
    summary: 'List the steps that an image was made in',
    answers: { 200: z.array(HistoryEntry) },
    query: query({}),
    body: noBody,
    handler: async ({ params }, { images }) => {
      const entries = await images.history(params['name'] ?? '');
      return json(
        entries.map(({ id, created, createdBy, comment, size, tags }) => ({
          Id: id,
          Created: Math.floor(Date.parse(created) / 1000) || 0,
          CreatedBy: createdBy,
          Tags: tags.length === 0 ? null : tags,
          Size: size,
          Comment: comment,
        })),
      );
    },
  }),
];
