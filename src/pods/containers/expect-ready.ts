/**
 * Refuses what needs a pod whose microVM runs.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Pod } from '../record/pod.ts';
import type { PodStore } from '../record/store.ts';

/** @throws A3sError `no-such-pod`; `conflict` where it has no microVM */
export function expectReady(rt: { readonly pods: PodStore }, id: string): Pod {
  const pod = rt.pods.expectPod(id);
  if (pod.state.status === 'ready') return pod;
  throw new A3sError('conflict', `The pod ${id} is not ready: it is ${pod.state.status}`, {
    remedy: 'Remove it (crictl rmp POD), and run another one (crictl runp POD.json).',
  });
}
