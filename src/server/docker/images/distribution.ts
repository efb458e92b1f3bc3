/**
 * `GET /distribution/{name}/json`: what a name stands for in its registry.
 *
 * @module
 */
import type { Runtime } from '../../../boxes/runtime.ts';
import { describeRemote } from '../../../distribution/describe.ts';
import { Remote } from '../../../docker-api/images/distribution.ts';
import { canonicalRepository, parseReference } from '../../../oci/reference.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { noBody, query } from '../query.ts';
import { registryAuth } from './registry-auth.ts';

export const DISTRIBUTION_ROUTES: readonly Route<Pick<Runtime, 'registry' | 'shutdown'>>[] = [
  route('GET', '/distribution/:name{.+}/json', {
    access: 'owner',
    summary: 'Resolve a name in its registry',
    answers: { 200: Remote },
    query: query({}),
    body: noBody,
    handler: async ({ params, headers, signal }, rt) => {
      const reference = parseReference(params['name'] ?? '');
      const repository = rt.registry.repository(canonicalRepository(reference), {
        access: 'pull',
        credentials: registryAuth(headers),
        signal: AbortSignal.any([signal, rt.shutdown]),
      });
      const { platforms, ...descriptor } = await describeRemote(repository, reference);
      return json({ Descriptor: descriptor, Platforms: platforms });
    },
  }),
];
