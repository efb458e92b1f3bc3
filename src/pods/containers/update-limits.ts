/**
 * Changes the limits of a container.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { expectPlainPod } from '../confidential/host-may.ts';
import type { PodHost } from '../pod-host.ts';
import type { ContainerDefinition } from '../record/container.ts';
import { runningContainer } from './running-container.ts';

/**
 * Applies them to a container that runs; one that was created starts with them.
 *
 * @throws A3sError `no-such-container`; `conflict` where it has exited; `unsupported-option` in a
 * confidential pod; what the agent refuses
 */
export async function updateLimits(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'locks'>,
  id: string,
  limits: Pick<ContainerDefinition, 'resources' | 'askedLimits'>,
): Promise<void> {
  const { pod } = rt.pods.expectContainer(id).definition;
  const why = 'they are those of its launch spec';
  expectPlainPod(rt.pods.expectPod(pod).definition, 'change the limits in', why);
  await rt.locks.run(pod, async () => {
    const { status } = rt.pods.expectContainer(id).state;
    if (status === 'running') {
      const { guest, pod: running } = await runningContainer(rt, id);
      await guest.putResources(limits.resources, running.signal);
    } else if (status !== 'created') {
      throw new A3sError('conflict', `Cannot change the limits of ${id}: it is ${status}`);
    }
    rt.pods.redefineContainer(id, limits);
  });
}
