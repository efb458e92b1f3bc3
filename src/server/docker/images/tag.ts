/**
 * `docker tag`.
 *
 * @module
 */

import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import { A3sError } from '../../../errors.ts';
import { empty } from '../../http/answer.ts';
import { EMPTY } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { noBody, query } from '../query.ts';

const access = 'owner';
const text = z.string().max(1024).default('');

export const TAG_ROUTES: readonly Route<Pick<Runtime, 'images' | 'events'>>[] = [
  route('POST', '/images/:name{.+}/tag', {
    access,
    summary: 'Give an image another name',
    answers: { 201: EMPTY },
    query: query({ repo: text, tag: text }),
    body: noBody,
    handler: async ({ params, query }, rt) => {
      const target = nameOf(query.repo, query.tag);
      const { id } = await rt.images.tag(params['name'] ?? '', target);
      rt.events.publish('image', 'tag', id, { name: target });
      return empty(201);
    },
  }),
];

/** @throws A3sError `invalid-reference` where no repository is given */
export function nameOf(repository: string, tag: string): string {
  if (repository === '') {
    throw new A3sError('invalid-reference', 'Cannot name an image: no repository is given', {
      remedy: 'Write the new name as [HOST[:PORT]/]NAME[:TAG].',
    });
  }
  return tag === '' ? repository : `${repository}:${tag}`;
}
