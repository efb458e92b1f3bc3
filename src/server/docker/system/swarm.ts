/**
 * Docker's routes of swarms. They are refused as by a dockerd outside a swarm, which clients are
 * prepared for.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';
import { type Route, streamRoute } from '../../http/route.ts';
import { query } from '../query.ts';

const NO_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
const NO_NODE = 'This node is not part of a swarm';
/** Docker updates no other volumes than those of a cluster. */
const NO_CLUSTER_VOLUME = 'volume update only valid for cluster volumes, but swarm is unavailable';

const NOUNS = ['configs', 'nodes', 'secrets', 'services', 'swarm', 'tasks'] as const;

export const SWARM_ROUTES: readonly Route[] = [
  ...(['init', 'join'] as const).map((verb) =>
    refused(
      'POST',
      `/swarm/${verb}`,
      'Refused with 501: this server does not manage swarms',
      () => {
        throw new A3sError('not-implemented', `Cannot ${verb} a swarm: it is not supported`, {
          remedy: 'This server is no node of a swarm, and cannot become one.',
        });
      },
    ),
  ),
  outside('POST', '/swarm/leave', NO_NODE),
  outside('PUT', '/volumes/:name', NO_CLUSTER_VOLUME),
  ...NOUNS.flatMap((noun) => [
    outside('GET', `/${noun}`),
    ...(['GET', 'POST', 'DELETE'] as const).map((method) => outside(method, `/${noun}/:name{.+}`)),
  ]),
];

function outside(method: Route['method'], path: string, words = NO_MANAGER): Route {
  return refused(method, path, 'Refused with 503: this server is in no swarm', () => {
    throw new A3sError('not-in-swarm', words);
  });
}

/** The body, if any, is not read. */
function refused(method: Route['method'], path: string, summary: string, handler: () => never) {
  return streamRoute(method, path, {
    ...{ access: 'owner' as const, summary, query: query({}), answers: {}, handler },
  });
}
