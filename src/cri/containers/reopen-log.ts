/**
 * `ReopenContainerLog`.
 *
 * @module
 */
import { reopenLog } from '../../pods/containers/open-output.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';

export async function reopenContainerLog(
  rt: PodHost,
  { containerId }: cri.ReopenContainerLogRequest,
): Promise<Answer<cri.ReopenContainerLogResponse>> {
  await reopenLog(rt, rt.pods.fullId('container', containerId));
  return {};
}
