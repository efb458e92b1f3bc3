/**
 * `UpdateContainerResources`.
 *
 * @module
 */
import { updateLimits } from '../../pods/containers/update-limits.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { invalid } from '../refusal.ts';
import { askedLimits, limitsOf } from '../security/limits.ts';

/**
 * What is not named stays: 0 names nothing. The score of the out-of-memory killer is that of the
 * container's creation.
 */
export async function updateContainerResources(
  rt: PodHost,
  { containerId, linux }: cri.UpdateContainerResourcesRequest,
): Promise<Answer<cri.UpdateContainerResourcesResponse>> {
  if (linux === undefined) throw invalid('linux', 'it is missing');
  const id = rt.pods.fullId('container', containerId);
  const before = rt.pods.expectContainer(id).definition.askedLimits;
  const asked = askedLimits(linux);
  const named = Object.fromEntries(
    Object.entries(asked).filter(([name, value]) => value !== 0 && value !== '' && name !== SCORE),
  );
  const after = { ...before, ...named };
  await updateLimits(rt, id, { askedLimits: after, resources: limitsOf(after) });
  return {};
}

const SCORE = 'oomScoreAdj';
