/**
 * Images as archives: `docker save`.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import { A3sError } from '../../../errors.ts';
import { stream } from '../../http/answer.ts';
import { bytesOf } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { noBody, query } from '../query.ts';
import { logged } from '../streamed.ts';

const access = 'owner';

const name = z.string().max(4096);
/** One name, or several. */
const names = z
  .union([name, z.array(name).max(1024)])
  .default([])
  .transform((value) => [value].flat());

const ARCHIVE = 'application/x-tar';

export const SAVE_ROUTES: readonly Route<Pick<Runtime, 'images' | 'events' | 'log'>>[] = [
  route('GET', '/images/get', {
    access,
    summary: 'Save images as one archive',
    answers: { 200: bytesOf(ARCHIVE) },
    query: query({ names }),
    body: noBody,
    handler: ({ query }, rt) => save(rt, query.names),
  }),
  route('GET', '/images/:name{.+}/get', {
    access,
    summary: 'Save an image as an archive',
    answers: { 200: bytesOf(ARCHIVE) },
    query: query({}),
    body: noBody,
    handler: ({ params }, rt) => save(rt, [params['name'] ?? '']),
  }),
];

async function save(
  rt: Pick<Runtime, 'images' | 'events' | 'log'>,
  references: readonly string[],
): Promise<ReturnType<typeof stream>> {
  const archive = await rt.images.save(references);
  for (const reference of references) {
    rt.events.publish('image', 'save', await idOf(rt, reference), { name: reference });
  }
  return stream(logged(rt, 'images could not be saved', archive), ARCHIVE);
}

/** The name itself where the image was removed meanwhile. */
async function idOf({ images }: Pick<Runtime, 'images'>, reference: string): Promise<string> {
  try {
    return (await images.resolve(reference)).id;
  } catch (error) {
    if (error instanceof A3sError) return reference;
    throw error;
  }
}
