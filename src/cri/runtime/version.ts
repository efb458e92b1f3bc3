/**
 * `Version`.
 *
 * @module
 */
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';

/** Kubelet refuses any other: it is older than the versions of the interface. */
const KUBELET_API = '0.1.0';

export function version(release: string): Answer<cri.VersionResponse> {
  return {
    version: KUBELET_API,
    runtimeName: 'a3s-box',
    runtimeVersion: release,
    runtimeApiVersion: 'v1',
  };
}
