/**
 * `Status`.
 *
 * @module
 */
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { CRI_VERSION } from '../api/version.ts';
import { HANDLERS, hasMounts } from '../handlers.ts';
import type { PodCidr } from './config.ts';

/**
 * The runtime is ready where microVMs start, and the network where pods can be put into one that
 * they share: Kubernetes demands that they reach each other by their addresses. Where kubelet does
 * not find a feature, it refuses pods that ask for it.
 */
export async function status(
  rt: Pick<PodHost, 'engine' | 'podNetworks' | 'podMounts'>,
  verbose: boolean,
  podCidr: PodCidr,
): Promise<Answer<cri.StatusResponse>> {
  // Pods are of the automatic engine, whose report comes first.
  const [report] = await rt.engine.reports();
  const reason = report?.reason ?? '';
  const runtime = report?.available
    ? { type: 'RuntimeReady', status: true }
    : { type: 'RuntimeReady', status: false, reason: 'VmmUnavailable', message: reason };
  const { ready, ...why } = await rt.podNetworks.readiness();
  const network = { type: 'NetworkReady', status: ready, ...why };
  const info = { criApi: CRI_VERSION, podCidr: podCidr.value };
  return {
    status: { conditions: [runtime, network] },
    runtimeHandlers: HANDLERS.map((name) => ({
      name,
      features: { recursiveReadOnlyMounts: rt.podMounts.available && hasMounts(name) },
    })),
    features: { supplementalGroupsPolicy: true },
    info: verbose ? { config: JSON.stringify(info) } : {},
  };
}
