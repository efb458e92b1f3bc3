/**
 * Changes the limits that the containers of a pod have together.
 *
 * @module
 */
import { NO_LIMITS } from '../../boxes/record/limits.ts';
import { resourcesOf, vmCpus, vmMemory } from '../../boxes/spec/resources.ts';
import { A3sError } from '../../errors.ts';
import { expectPlainPod } from '../confidential/host-may.ts';
import type { PodHost } from '../pod-host.ts';
import type { PodDefinition } from '../record/pod.ts';

type PodLimits = Pick<PodDefinition, 'memoryBytes' | 'nanoCpus'>;

/**
 * @param asked 0: as it was
 * @throws A3sError `no-such-pod`; `conflict` for a pod that is not ready; `invalid-argument` for
 * processors that its microVM does not have; what the microVM cannot grow to, as `growMemory`
 * says; `unsupported-option` for a confidential pod; what the agent refuses
 */
export async function updatePodLimits(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'locks'>,
  id: string,
  asked: PodLimits,
): Promise<void> {
  const why = 'they are those of its launch spec';
  expectPlainPod(rt.pods.expectPod(id).definition, 'change the limits of', why);
  await rt.locks.run(id, async () => {
    const { definition } = rt.pods.expectPod(id);
    const running = rt.runningPods.expect(id);
    const limits: PodLimits = {
      memoryBytes: asked.memoryBytes === 0 ? definition.memoryBytes : asked.memoryBytes,
      nanoCpus: asked.nanoCpus === 0 ? definition.nanoCpus : asked.nanoCpus,
    };
    const { cpus } = await running.vm.size();
    if (vmCpus(limits.nanoCpus) > cpus) {
      throw new A3sError(
        'invalid-argument',
        `Cannot give the pod ${vmCpus(limits.nanoCpus)} processors: its microVM was started with ${cpus}`,
        { remedy: 'Run another pod with more: crictl runp POD.json' },
      );
    }
    // It is there before the guest is asked, which waits until its kernel has taken it.
    await running.vm.growMemory(vmMemory(limits.memoryBytes));
    const { ulimits: _, ...resources } = resourcesOf({ ...limits, limits: NO_LIMITS });
    await (await running.guest()).putResources(resources, running.signal);
    rt.pods.redefinePod(id, limits);
  });
}
