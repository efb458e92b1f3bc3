/**
 * Docker's routes that this server does not serve. They are refused by name, and not as unknown
 * paths.
 *
 * @module
 */
import type { Runtime } from '../../boxes/runtime.ts';
import { A3sError } from '../../errors.ts';
import { type Request, type Route, streamRoute } from '../http/route.ts';
import { query } from './query.ts';
import { NO_BUILDS } from './system/builder.ts';

interface Refusal {
  readonly method: Route['method'];
  readonly path: string;
  readonly what: string;
  readonly remedy: string;
  readonly why?: string;
  /** Throws where what the request names does not exist. As in Docker, that is reported first. */
  readonly find?: (call: Named, rt: NamedHost) => void;
}

type Named = Pick<Request<unknown, unknown>, 'params'>;
type NamedHost = Pick<Runtime, 'store'>;

const BUILD = 'Build with docker or podman elsewhere, and load the archive.';
const VOLUME = 'Remove it, and create another.';
const PLUGIN = 'This server takes no plugins.';

const box = ({ params }: Named, rt: NamedHost): void => {
  rt.store.resolve(params['id'] ?? '');
};

const REFUSED: readonly Refusal[] = [
  {
    ...{ method: 'GET', path: '/images/search', what: 'search for images' },
    remedy: 'Search on the registry’s own web site.',
  },
  { method: 'POST', path: '/build', what: 'build images', remedy: BUILD, why: NO_BUILDS },
  {
    ...{ method: 'POST', path: '/build/cancel', what: 'cancel a build' },
    remedy: 'Images are not built here.',
  },
  ofBox(
    ...(['GET', 'attach/ws', 'attach over a web socket'] as const),
    'Use POST /containers/{id}/attach, which takes the connection over.',
  ),
  { method: 'PUT', path: '/volumes/:name', what: 'update a volume', remedy: VOLUME },
  ...(['GET', 'POST', 'DELETE'] as const).map((method): Refusal => {
    return { method, path: '/plugins/:name{.+}', what: 'manage plugins', remedy: PLUGIN };
  }),
];

function ofBox(method: Route['method'], path: string, what: string, remedy: string): Refusal {
  return { method, path: `/containers/:id/${path}`, what, remedy, find: box };
}

const access = 'owner';
const summaryOf = (what: string): string => `Refused with 501: this server does not ${what}`;

function refusal(what: string, remedy: string, why = 'it is not supported'): A3sError {
  return new A3sError('not-implemented', `Cannot ${what}: ${why}`, { remedy });
}

export const UNSUPPORTED_ROUTES: readonly Route<NamedHost>[] = [
  ...REFUSED.map(({ method, path, what, remedy, why, find }) =>
    // The body, if any, is not read.
    streamRoute(method, path, {
      ...({ access, summary: summaryOf(what), query: query({}), answers: {} } as const),
      handler: (call, rt: NamedHost) => {
        find?.(call, rt);
        throw refusal(what, remedy, why);
      },
    }),
  ),
];
