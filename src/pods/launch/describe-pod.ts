/**
 * Makes the two documents of a pod's start from its record: the microVM for the engine, and the pod
 * spec for the agent.
 *
 * @module
 */
import { POD_SPEC_SCHEMA, PodSpec } from '@a3s-box/policies';
import { NO_LIMITS } from '../../boxes/record/limits.ts';
import { macAddress } from '../../boxes/spec/network.ts';
import { podShape, podShare } from '../../boxes/spec/pod-shape.ts';
import { resolverOf } from '../../boxes/spec/resolver.ts';
import { resourcesOf, vmMemory } from '../../boxes/spec/resources.ts';
import { sysctlsOf } from '../../boxes/spec/sysctls.ts';
import { ownNetwork } from '../../boxes/start/join-network.ts';
import type { Disk, VmSpec } from '../../engine/engine.ts';
import { A3sError } from '../../errors.ts';
import type { PodAttachment } from '../../networks/cni/pod-networks.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import type { PodDefinition } from '../record/pod.ts';
import { validSpec } from '../valid-spec.ts';

/** Of a network that names more, the rest is not asked: programs read the first three. */
const MOST_SERVERS = 16;

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
    /** In the network that pods share. */
    readonly attached: PodAttachment | undefined;
    /** The directory of the node below which containers' mounts are made. */
    readonly shared: string | undefined;
  },
): Promise<DescribedPod> {
  const { id, identity, memoryBytes, nanoCpus } = pod;
  const { boot, runtimeDir, disks, taken, attached, shared } = given;
  const { cpus, sparePorts } = podShape(nanoCpus, boot);
  const joined = await networkOf(pod, attached);
  const sysctls = sysctlsOf(pod.sysctls, '');
  const { ulimits: _, ...resources } = resourcesOf({ memoryBytes, nanoCpus, limits: NO_LIMITS });
  return {
    vm: {
      ...{ id, runtimeDir, identity, boot, disks },
      cpus,
      sparePorts,
      memoryBytes: vmMemory(memoryBytes),
      nic: joined.nic,
      shares: shared === undefined ? [] : [podShare(shared)],
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

type Joined = Pick<Awaited<ReturnType<typeof ownNetwork>>, 'nic' | 'network' | 'hosts'>;

async function networkOf(
  { id, network, names, ports }: PodDefinition,
  attached: PodAttachment | undefined,
): Promise<Joined> {
  if (network !== 'cni') {
    return await ownNetwork({ id, mac: undefined, network, names, egress: undefined }, ports);
  }
  if (attached === undefined) throw new A3sError('internal', `The pod ${id} is in no network`);
  const { tap, mtu, ipv4 } = attached;
  const mac = podMac(id);
  const asked = names.servers.length > 0;
  const { nameservers, search, options } = attached;
  const own = { servers: [...nameservers], search: [...search], options: [...options], hosts: [] };
  const resolver = {
    nameservers: asked ? names.servers : nameservers.slice(0, MOST_SERVERS),
    ...resolverOf(asked ? names : own),
  };
  return {
    // The network publishes its ports.
    nic: { mac, ports: [], tap },
    network: { kind: 'nic', mac, mtu, ...ipv4, ...resolver },
    hosts: undefined,
  };
}

/** The hardware address of a pod's card. */
export function podMac(id: string): string {
  return macAddress({ id, mac: undefined });
}
