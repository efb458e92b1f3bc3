/**
 * Makes the two documents of a pod's start from its record: the microVM for the engine, and the pod
 * spec for the agent.
 *
 * @module
 */
import { POD_SPEC_SCHEMA, PodSpec } from '@a3s-box/policies';
import { NO_LIMITS } from '../../boxes/record/limits.ts';
import { resourcesOf, vmCpus, vmMemory } from '../../boxes/spec/resources.ts';
import { sysctlsOf } from '../../boxes/spec/sysctls.ts';
import { ownNetwork } from '../../boxes/start/join-network.ts';
import type { Disk, VmSpec } from '../../engine/engine.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import type { PodDefinition } from '../record/pod.ts';
import { validSpec } from '../valid-spec.ts';

/**
 * Root ports of a microVM that boots, each for the disks of a container with up to seven layers. As
 * many as a pod of Kubernetes has containers, mostly.
 */
const SPARE_PORTS = 12;

export interface DescribedPod {
  readonly vm: VmSpec;
  readonly spec: PodSpec;
}

export async function describePod(
  pod: PodDefinition,
  given: {
    readonly boot: VmSpec['boot'];
    readonly runtimeDir: string;
    readonly disks: readonly Disk[];
    readonly taken: TakenTemplate | undefined;
  },
): Promise<DescribedPod> {
  const { id, identity, memoryBytes, nanoCpus, network, names, ports } = pod;
  const { boot, runtimeDir, disks, taken } = given;
  const joined = await ownNetwork({ id, mac: undefined, network, names, egress: undefined }, ports);
  const sysctls = sysctlsOf(pod.sysctls, '');
  const { ulimits: _, ...resources } = resourcesOf({ memoryBytes, nanoCpus, limits: NO_LIMITS });
  return {
    vm: {
      ...{ id, runtimeDir, identity, boot, disks },
      cpus: vmCpus(nanoCpus),
      memoryBytes: vmMemory(memoryBytes),
      nic: joined.nic,
      shares: [],
      sparePorts: SPARE_PORTS,
      template: taken?.template,
    },
    spec: validSpec(PodSpec, {
      schema: POD_SPEC_SCHEMA,
      hostname: pod.hostname,
      network: joined.network,
      ...(joined.hosts === undefined ? {} : { hosts: joined.hosts }),
      ...(sysctls.length === 0 ? {} : { sysctls: [...sysctls] }),
      resources,
      ...(pod.privileged ? { privileged: true } : {}),
    }),
  };
}
