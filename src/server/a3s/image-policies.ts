/**
 * `POST /a3s/v1/image-policies`: adds a policy that later calls can name by its id, in place of the
 * standing one.
 *
 * @module
 */
import type { Runtime } from '../../boxes/runtime.ts';
import { ImagePolicyAdded, ImagePolicyBody } from '../../docker-api/a3s/image-policy.ts';
import { query } from '../docker/query.ts';
import { json } from '../http/answer.ts';
import { type Route, route } from '../http/route.ts';

export const IMAGE_POLICY_ROUTES: readonly Route<Pick<Runtime, 'trust'>>[] = [
  route('POST', '/a3s/v1/image-policies', {
    access: 'owner',
    summary: 'Add an image policy, which other requests name by its id',
    answers: { 201: ImagePolicyAdded },
    query: query({}),
    body: ImagePolicyBody,
    handler: async ({ body }, { trust }) => json({ id: await trust.handOver(body) }, 201),
  }),
];
