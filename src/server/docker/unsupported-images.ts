/**
 * What Docker does with images and this server does not: refused by name, rather than as paths that nobody knows.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Route, streamRoute } from '../route.ts';
import { query } from './query.ts';

const access = 'owner';

const REFUSED = [
  ['GET', '/images/search', 'search for images', 'Search on the registry’s own web site.'],
  [
    'POST',
    '/build',
    'build images',
    'Build with docker or podman elsewhere, and load the archive.',
  ],
  ['POST', '/build/prune', 'prune a build cache', 'There is none: images are not built here.'],
  ['POST', '/build/cancel', 'cancel a build', 'Images are not built here.'],
  ['POST', '/commit', 'make an image of a box', 'Build it with docker or podman elsewhere.'],
] as const;

export const UNSUPPORTED_IMAGE_ROUTES: readonly Route[] = REFUSED.map(
  ([method, path, what, remedy]) =>
    // Of whatever body there is, nothing needs to be read.
    streamRoute(method, path, {
      access,
      query: query({}),
      handler: () => {
        throw new A3sError('not-implemented', `Cannot ${what}: it is not supported`, { remedy });
      },
    }),
);
