/**
 * `ExecSync`.
 *
 * @module
 */
import { execSync as exec } from '../../pods/containers/exec-sync.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { integer } from '../integer.ts';
import { invalid } from '../refusal.ts';

/** In seconds. */
const LONGEST = 2_000_000;

export async function execSync(
  rt: PodHost,
  { containerId, cmd, timeout }: cri.ExecSyncRequest,
  left: AbortSignal,
): Promise<Answer<cri.ExecSyncResponse>> {
  if (cmd.length === 0) throw invalid('cmd', 'it is empty');
  const timeoutMs = integer(timeout, 'timeout', 0, LONGEST) * 1000;
  const id = rt.pods.fullId('container', containerId);
  return await exec(rt, id, cmd, { timeoutMs, signal: left });
}
