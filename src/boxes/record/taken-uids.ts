/**
 * The identities that microVMs and boxes of this home have. A new one gets none of them.
 *
 * @module
 */
import type { Runtime } from '../runtime.ts';

/** The user ids. The caller has to put its own on record before it awaits anything. */
export function takenUids(
  rt: Pick<Runtime, 'store'> & { readonly pools: Pick<Runtime['pools'], 'uids'> },
): number[] {
  const boxes = rt.store
    .list()
    .flatMap(({ definition, state: { machine } }) => [
      definition.identity.uid,
      ...(machine === undefined ? [] : [machine.identity.uid]),
    ]);
  return [...boxes, ...rt.pools.uids()];
}
