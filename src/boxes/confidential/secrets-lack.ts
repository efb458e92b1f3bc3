/**
 * Why a run ended without its secrets.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Box } from '../record/box.ts';

/** The states of secrets that did not arrive. */
type Lack = 'expired' | 'refused';

/** Of a box that waited for its broker to count its volumes, and for nothing else. */
const NOT_COUNTED = new A3sError('volume-not-counted', 'its broker did not count its volumes');

const REFUSED = new A3sError('secret-refused', 'a secret was refused to it');

/** By the state, and by whether the box fetches secrets. */
const LACKS: Readonly<Record<Lack, { readonly fetching: A3sError; readonly waiting: A3sError }>> = {
  expired: {
    fetching: new A3sError('secrets-not-fetched', 'its broker did not give its secrets in time'),
    waiting: new A3sError('secrets-deadline', 'its secrets did not arrive in time'),
  },
  refused: { fetching: REFUSED, waiting: REFUSED },
};

const STATES: ReadonlyMap<string, Lack> = new Map([
  ...(['expired', 'refused'] as const).flatMap((state) =>
    Object.values(LACKS[state]).map(({ code }) => [code, state] as const),
  ),
  // The broker comes before the secrets, which then do not come either.
  ...(['volume-rolled-back', 'volume-not-counted'] as const).map(
    (code) => [code, 'refused'] as const,
  ),
]);

export function isFetching({ definition }: Pick<Box, 'definition'>): boolean {
  return definition.confidential?.broker !== undefined;
}

/** The state of the secrets that an exit's code tells of, where it tells of them. */
export function lackOf(code: string | undefined): Lack | undefined {
  return STATES.get(code ?? '');
}

/** Why a run ended, by the state of its secrets, where no server received what its guest said. */
export function unseenLack(box: Pick<Box, 'definition' | 'state'>): A3sError | undefined {
  const state = box.state.launch?.secrets.state;
  if (state !== 'expired' && state !== 'refused') return undefined;
  if (box.definition.confidential?.secrets.length === 0) return NOT_COUNTED;
  return LACKS[state][isFetching(box) ? 'fetching' : 'waiting'];
}
