/**
 * `POST /a3s/v1/image-policies`: adds a policy that later calls can name by its id, in place of the standing one.
 *
 * @module
 */
import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { query } from '../docker/query.ts';
import { json } from '../http/answer.ts';
import { type Route, route } from '../http/route.ts';

const MAX_POLICY = 1024 * 1024;
const absolutePath = z
  .string()
  .max(4096)
  .refine((path) => isAbsolute(path) && !path.includes('\0'), { error: 'must be absolute' });

export const IMAGE_POLICY_ROUTES: readonly Route[] = [
  route('POST', '/a3s/v1/image-policies', {
    access: 'owner',
    summary: 'Hands over an image policy, for calls to name by its id',
    answers: { 201: z.strictObject({ id: z.string() }) },
    query: query({}),
    body: z.strictObject({
      /** YAML or JSON. */
      text: z.string().max(MAX_POLICY),
      /** The directory that the file names in it are relative to. */
      directory: absolutePath,
      /** The file that it was read from, for messages. */
      path: absolutePath.optional(),
    }),
    handler: async ({ rt, body }) => json({ id: await rt.trust.handOver(body) }, 201),
  }),
];
