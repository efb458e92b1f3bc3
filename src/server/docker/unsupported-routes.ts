/**
 * Docker's routes that this server does not serve. They are refused by name, and not as unknown
 * paths.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Route, streamRoute } from '../http/route.ts';
import { query } from './query.ts';

interface Refusal {
  readonly method: Route['method'];
  readonly path: string;
  readonly what: string;
  readonly remedy: string;
}

const PLUGIN = 'This server takes no plugins.';

const REFUSED: readonly Refusal[] = [
  {
    ...{ method: 'GET', path: '/images/search', what: 'search for images' },
    remedy: 'Search on the registry’s own web site.',
  },
  ...(['GET', 'POST', 'DELETE'] as const).map((method): Refusal => {
    return { method, path: '/plugins/:name{.+}', what: 'manage plugins', remedy: PLUGIN };
  }),
];

const access = 'owner';
const summaryOf = (what: string): string => `Refused with 501: this server does not ${what}`;

function refusal(what: string, remedy: string): A3sError {
  return new A3sError('not-implemented', `Cannot ${what}: it is not supported`, { remedy });
}

export const UNSUPPORTED_ROUTES: readonly Route[] = REFUSED.map(({ method, path, what, remedy }) =>
  // The body, if any, is not read.
  streamRoute(method, path, {
    ...({ access, summary: summaryOf(what), query: query({}), answers: {} } as const),
    handler: () => {
      throw refusal(what, remedy);
    },
  }),
);
