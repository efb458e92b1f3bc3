/**
 * Docker's routes that this server does not serve. They are refused by name, and not as unknown
 * paths.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Route, streamRoute } from '../http/route.ts';
import { query } from './query.ts';
import { NO_BUILDS } from './system/builder.ts';

interface Refusal {
  readonly method: Route['method'];
  readonly path: string;
  readonly what: string;
  readonly remedy: string;
  readonly why?: string;
}

const BUILD = 'Build with docker or podman elsewhere, and load the archive.';
const PLUGIN = 'This server takes no plugins.';

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
  ...(['GET', 'POST', 'DELETE'] as const).map((method): Refusal => {
    return { method, path: '/plugins/:name{.+}', what: 'manage plugins', remedy: PLUGIN };
  }),
];

const access = 'owner';
const summaryOf = (what: string): string => `Refused with 501: this server does not ${what}`;

function refusal(what: string, remedy: string, why = 'it is not supported'): A3sError {
  return new A3sError('not-implemented', `Cannot ${what}: ${why}`, { remedy });
}

export const UNSUPPORTED_ROUTES: readonly Route[] = REFUSED.map(
  ({ method, path, what, remedy, why }) =>
    // The body, if any, is not read.
    streamRoute(method, path, {
      ...({ access, summary: summaryOf(what), query: query({}), answers: {} } as const),
      handler: () => {
        throw refusal(what, remedy, why);
      },
    }),
);
