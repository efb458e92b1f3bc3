/**
 * `Status`.
 *
 * @module
 */
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { CRI_VERSION } from '../api/version.ts';
import type { PodCidr } from './config.ts';

const NO_PODS = {
  reason: 'PodsNotImplemented',
  message: 'a3s-box serves images; it does not run pods yet',
};

/** Kubelet must not take the node for one that runs pods: neither condition holds. */
const CONDITIONS: readonly Answer<cri.RuntimeCondition>[] = [
  { type: 'RuntimeReady', status: false, ...NO_PODS },
  { type: 'NetworkReady', status: false, ...NO_PODS },
];

/** No handler and no feature is named, since none could be used. */
export function status(verbose: boolean, podCidr: PodCidr): Answer<cri.StatusResponse> {
  const info = { criApi: CRI_VERSION, podCidr: podCidr.value };
  return {
    status: { conditions: [...CONDITIONS] },
    features: {},
    info: verbose ? { config: JSON.stringify(info) } : {},
  };
}
