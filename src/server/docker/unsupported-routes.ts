/**
 * Docker's routes that this server does not serve: refused by name, rather than as paths that nobody knows.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Route, streamRoute } from '../route.ts';
import { query } from './query.ts';

type Refusal = readonly [method: Route['method'], path: string, what: string, remedy: string];

const BUILD = 'Build with docker or podman elsewhere, and load the archive.';
const COPY = 'Use a bind mount, or exec with tar.';
const NETWORK = 'Boxes are in a network of their own, or in none.';
const VOLUME = 'Use a bind mount.';
const SWARM = 'This server is no node of a swarm.';
const PLUGIN = 'This server takes no plugins.';

const REFUSED: readonly Refusal[] = [
  ['GET', '/images/search', 'search for images', 'Search on the registry’s own web site.'],
  ['POST', '/build', 'build images', BUILD],
  ['POST', '/build/cancel', 'cancel a build', 'Images are not built here.'],
  ['POST', '/session', 'open a session for a build', BUILD],
  ['POST', '/grpc', 'speak to a builder', BUILD],
  ['POST', '/commit', 'make an image of a box', 'Build it with docker or podman elsewhere.'],
  // HEAD of it is answered by the same route.
  ['GET', '/containers/:id/archive', 'copy files out of a box', COPY],
  ['PUT', '/containers/:id/archive', 'copy files into a box', COPY],
  ['GET', '/containers/:id/changes', 'list what a box has changed', 'Use exec with find.'],
  ['GET', '/containers/:id/export', 'export the files of a box', 'Use exec with tar.'],
  [
    'GET',
    '/containers/:id/attach/ws',
    'attach over a web socket',
    'Use POST /containers/{id}/attach, which takes the connection over.',
  ],
  ['POST', '/networks/create', 'create a network', NETWORK],
  ['POST', '/networks/:name/connect', 'connect a box to a network', NETWORK],
  ['POST', '/networks/:name/disconnect', 'disconnect a box from a network', NETWORK],
  ['PUT', '/volumes/:name', 'update a volume', VOLUME],
  ['POST', '/volumes/create', 'create a volume', VOLUME],
  ['GET', '/plugins/:name{.+}', 'manage plugins', PLUGIN],
  ['POST', '/plugins/:name{.+}', 'manage plugins', PLUGIN],
  ['DELETE', '/plugins/:name{.+}', 'manage plugins', PLUGIN],
  ...['configs', 'nodes', 'secrets', 'services', 'swarm', 'tasks'].flatMap((noun): Refusal[] => [
    ['GET', `/${noun}`, `list ${noun}`, SWARM],
    ['GET', `/${noun}/:name{.+}`, `inspect ${noun}`, SWARM],
    ['POST', `/${noun}/:name{.+}`, `manage ${noun}`, SWARM],
    ['DELETE', `/${noun}/:name{.+}`, `remove ${noun}`, SWARM],
  ]),
];

export const UNSUPPORTED_ROUTES: readonly Route[] = REFUSED.map(([method, path, what, remedy]) =>
  // Of whatever body there is, nothing needs to be read.
  streamRoute(method, path, {
    access: 'owner',
    summary: `Refused with 501: this server does not ${what}`,
    query: query({}),
    answers: {},
    handler: () => {
      throw new A3sError('not-implemented', `Cannot ${what}: it is not supported`, { remedy });
    },
  }),
);
