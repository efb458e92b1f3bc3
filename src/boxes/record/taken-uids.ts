/**
 * The identities that microVMs, boxes and pods of this home have. A new one gets none of them.
 *
 * @module
 */
import type { BoxStore } from './store.ts';

export interface UidHost {
  readonly store: BoxStore;
  /** Those of Kubernetes. */
  readonly pods: { uids(): number[] };
  /** The pools, whose microVMs have identities too. */
  readonly pools: { uids(): number[] };
}

/** The user ids. The caller has to put its own on record before it awaits anything. */
export function takenUids(rt: UidHost): number[] {
  const boxes = rt.store
    .list()
    .flatMap(({ definition, state: { machine } }) => [
      definition.identity.uid,
      ...(machine === undefined ? [] : [machine.identity.uid]),
    ]);
  return [...boxes, ...rt.pools.uids(), ...rt.pods.uids()];
}
