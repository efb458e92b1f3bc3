/**
 * Identities that machines and boxes of this home have: a new one gets none of them.
 *
 * @module
 */
import type { Runtime } from '../runtime.ts';

/** User ids. Who asks has to put its own on record before anything waits. */
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
