/**
 * `Status`.
 *
 * @module
 */
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { CRI_VERSION } from '../api/version.ts';
import { HANDLERS } from '../pods/pod-config.ts';
import type { PodCidr } from './config.ts';

/** Kubernetes demands that pods reach each other by their addresses. */
const NETWORK: Answer<cri.RuntimeCondition> = {
  type: 'NetworkReady',
  status: false,
  reason: 'PodsNotAddressable',
  message:
    'pods reach the network of the node and beyond, and publish ports; they have no addresses that others reach',
};

/** The runtime is ready where microVMs start. No feature is named. */
export async function status(
  rt: Pick<PodHost, 'engine'>,
  verbose: boolean,
  podCidr: PodCidr,
): Promise<Answer<cri.StatusResponse>> {
  // Pods are of the automatic engine, whose report comes first.
  const [report] = await rt.engine.reports();
  const reason = report?.reason ?? '';
  const runtime = report?.available
    ? { type: 'RuntimeReady', status: true }
    : { type: 'RuntimeReady', status: false, reason: 'VmmUnavailable', message: reason };
  const info = { criApi: CRI_VERSION, podCidr: podCidr.value };
  return {
    status: { conditions: [runtime, NETWORK] },
    runtimeHandlers: HANDLERS.map((name) => ({ name, features: {} })),
    features: {},
    info: verbose ? { config: JSON.stringify(info) } : {},
  };
}
