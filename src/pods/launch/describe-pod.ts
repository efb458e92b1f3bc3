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
import { type JoinedNetwork, ownNetwork } from '../../boxes/start/join-network.ts';
import type { Disk } from '../../engine/vm/devices.ts';
import type { GuestBoot } from '../../engine/vm/guest-boot.ts';
import type { VmSpec } from '../../engine/vm/vm-spec.ts';
import { A3sError } from '../../errors.ts';
import type { PodAddresses, PodAttachment } from '../../networks/cni/pod-networks.ts';
import { guestIpv6 } from '../../networks/host/guest-ipv6.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import type { PodDefinition } from '../record/pod.ts';
import { validSpec } from '../valid-spec.ts';

/** Of a network that names more, the rest is not asked: programs read the first three. */
const MOST_SERVERS = 16;

export interface DescribedPod {
  readonly vm: VmSpec;
  /**
   * Waits until the pod is in its network, whose addresses are a part of the spec.
   *
   * @throws A3sError as {@link PodAttachment.joined}
   */
  readonly spec: () => Promise<PodSpec>;
}

export async function describePod(
  pod: PodDefinition,
  given: {
    readonly boot: GuestBoot;
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
    spec: async () =>
      validSpec(PodSpec, {
        schema: POD_SPEC_SCHEMA,
        hostname: pod.hostname,
        network: await joined.network(),
        ...(joined.hosts === undefined ? {} : { hosts: joined.hosts }),
        ...(sysctls.length === 0 ? {} : { sysctls: [...sysctls] }),
        resources,
        ...(pod.privileged ? { privileged: true } : {}),
      }),
  };
}

interface Joined extends Pick<JoinedNetwork, 'nic' | 'hosts'> {
  readonly network: () => Promise<PodSpec['network']>;
}

async function networkOf(
  { id, network, names, ports }: PodDefinition,
  attached: PodAttachment | undefined,
): Promise<Joined> {
  if (network !== 'cni') {
    const asked = { id, mac: undefined, network, names, egress: undefined };
    const { nic, network: own, hosts } = await ownNetwork(asked, ports);
    return { nic, network: async () => own, hosts };
  }
  if (attached === undefined) throw new A3sError('internal', `The pod ${id} is in no network`);
  const { tap, joined } = attached;
  const mac = podMac(id);
  return {
    // The network publishes its ports.
    nic: { mac, ports: [], tap },
    network: async () => {
      const { mtu, ipv4, ipv6, ...resolver } = await joined;
      return {
        ...{ kind: 'nic', mac, mtu, ...ipv4, ...podResolver(names, resolver) },
        ...(ipv6 === undefined ? {} : { ipv6: guestIpv6(ipv6) }),
      };
    },
    hosts: undefined,
  };
}

/** What the pod asks for; else what its network names. */
function podResolver(
  asked: PodDefinition['names'],
  { nameservers, search, options }: Pick<PodAddresses, 'nameservers' | 'search' | 'options'>,
) {
  if (asked.servers.length > 0) return { nameservers: asked.servers, ...resolverOf(asked) };
  const own = { servers: [...nameservers], search: [...search], options: [...options], hosts: [] };
  return { nameservers: nameservers.slice(0, MOST_SERVERS), ...resolverOf(own) };
}

/** The hardware address of a pod's card. */
export function podMac(id: string): string {
  return macAddress({ id, mac: undefined });
}
