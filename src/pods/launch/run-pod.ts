/**
 * Runs a pod: puts it on record, and starts its microVM.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { settleAll } from '../../async/settle-all.ts';
import { endPooled } from '../../boxes/pool/pooled-vm.ts';
import type { PooledVm } from '../../boxes/pool/vm-pools.ts';
import { now, timestamp } from '../../boxes/record/clock.ts';
import { takenUids } from '../../boxes/record/taken-uids.ts';
import { resolvePorts } from '../../boxes/start/probe-port.ts';
import { GUEST_NETWORK } from '../../engine/network.ts';
import type { PodAddresses } from '../../networks/cni/pod-networks.ts';
import { podLaunchSpec } from '../confidential/pod-launch-spec.ts';
import type { PodHost } from '../pod-host.ts';
import { podDirectory, podsDirectory } from '../record/directories.ts';
import type { Pod, PodDefinition } from '../record/pod.ts';
import { podMac } from './describe-pod.ts';
import { followPod, leaveNode } from './follow-pod.ts';
import { launchPod } from './launch-pod.ts';
import type { PodPlaces } from './pod-places.ts';
import type { PodRequest } from './pod-request.ts';
import type { RunningPod } from './running-pod.ts';

/**
 * Returns when the pod is ready for containers.
 *
 * @param signal of the caller; where it gives up, nothing of the pod is left
 * @throws A3sError `name-in-use`, and what a microVM fails with; nothing is left then
 */
export async function runPod(rt: PodHost, request: PodRequest, signal: AbortSignal): Promise<Pod> {
  const bootSet = await rt.boot.current();
  const joins = hasCard(request) && (await rt.podNetworks.isConfigured());
  const network = joins ? 'cni' : request.network;
  await expectPorts(rt, { ...request, network });
  // Nothing is awaited from here to the lock, which is the first of this id.
  const { pod, pooled } = recordPod(rt, { ...request, network, bootSet });
  const { id } = pod.definition;
  return await rt.locks.run(id, async () => {
    try {
      const { running, addresses, shared } = await startPod(rt, pod, pooled, signal);
      followPod(rt, running);
      return rt.pods.advancePod(id, 'started', {
        ...(addresses === undefined ? {} : { addresses: [...addresses] }),
        ...(shared === undefined ? {} : { mounts: true }),
      });
    } catch (error) {
      // What a server that stops has begun, the next one ends.
      if (rt.runningPods.get(id) === undefined) {
        await leaveNode(rt, id);
        await rm(podDirectory(rt, id), { recursive: true, force: true });
        rt.pods.removePod(id);
      }
      throw error;
    }
  });
}

function hasCard({ network, confidential }: PodRequest): boolean {
  if (network !== 'default') return false;
  return confidential === undefined || podLaunchSpec(confidential).network !== 'none';
}

/** A start that a taken port would fail spends no microVM of a pool. */
async function expectPorts(rt: PodHost, { network, ports }: PodRequest): Promise<void> {
  const isPooled = rt.pools.list().some(({ pods, ready }) => pods && ready > 0);
  // Those of the node's network are its plugins'.
  if (isPooled && network === 'default' && ports.length > 0) await resolvePorts(ports);
}

/** Puts a pod on record, with a microVM that waited for it, where there is one. */
function recordPod(
  rt: PodHost,
  asked: Omit<PodDefinition, 'id' | 'createdAt' | 'identity'>,
): { readonly pod: Pod; readonly pooled: PooledVm | undefined } {
  const createdAt = timestamp(now());
  const unpooled = (reasons: Readonly<Record<string, string>>): Pod => {
    const id = randomBytes(32).toString('hex');
    const identity = rt.identityFor(takenUids(rt));
    const isAsked = Object.keys(reasons).length > 0;
    if (isAsked) rt.log.info('a pod comes from no pool', { pod: id, reasons });
    const known = isAsked ? { unpooled: reasons } : {};
    return rt.pods.insertPod({ ...asked, id, createdAt, identity }, known);
  };
  if (asked.confidential !== undefined) return { pod: unpooled({}), pooled: undefined };
  const found = rt.pools.takeForPod(asked, ({ vm, identity, taken }) => {
    // On record before anything is done to the microVM, so that the next server finds it.
    const known = { vm: { start: 'pool' as const, source: taken.template.key } };
    rt.pods.insertPod({ ...asked, id: vm.id, createdAt, identity }, known);
  });
  if (!('pooled' in found)) return { pod: unpooled(found.reasons), pooled: undefined };
  return { pod: rt.pods.expectPod(found.pooled.vm.id), pooled: found.pooled };
}

interface StartedPod {
  readonly running: RunningPod;
  readonly addresses: readonly string[] | undefined;
  readonly shared: string | undefined;
}

async function startPod(
  rt: PodHost,
  pod: Pod,
  pooled: PooledVm | undefined,
  signal: AbortSignal,
): Promise<StartedPod> {
  const places = await placesOf(rt, pod, pooled).catch(async (error: unknown) => {
    if (pooled !== undefined) await endPooled(rt, pooled);
    throw error;
  });
  const { attached, shared } = places;
  try {
    const running = await launchPod(rt, pod, places, pooled, signal);
    const joined = await attached?.joined;
    const addresses = joined && (await addressesOf(running, joined));
    return { running, addresses, shared };
  } finally {
    // The VMM has its own, or was not started.
    if (attached !== undefined) closeSync(attached.tap);
  }
}

/** What its network has given to the pod, and the agent to its guest. */
async function addressesOf(
  running: RunningPod,
  { addresses, ipv6 }: PodAddresses,
): Promise<readonly string[]> {
  if (ipv6 === undefined || (await running.guest()).givesPodsIpv6) return addresses;
  return addresses.filter((address) => address !== ipv6.address);
}

/** In the network that pods share, where its record says so. */
async function placesOf(
  rt: PodHost,
  { definition }: Pod,
  pooled: PooledVm | undefined,
): Promise<PodPlaces> {
  const { id, network, metadata, ports, confidential } = definition;
  await makePodDirectory(rt, id);
  const prepared = async (): Promise<string | undefined> => {
    if (pooled !== undefined) return pooled.shared;
    return confidential === undefined ? await rt.podMounts.prepare(id) : undefined;
  };
  if (network !== 'cni') return { attached: undefined, shared: await prepared() };
  const { name, namespace, uid } = metadata;
  // The addresses of a confidential guest are constants of its agent.
  const guest = confidential === undefined ? undefined : GUEST_NETWORK;
  const place = { pod: id, name, namespace, uid, mac: podMac(id), ports, guest };
  // The microVM starts while the plugins work.
  const attaching = rt.podNetworks.attach(place);
  try {
    const [attached, shared] = await settleAll([attaching, prepared()]);
    return { attached, shared };
  } catch (error) {
    const attached = await attaching.catch(() => undefined);
    if (attached !== undefined) closeSync(attached.tap);
    throw error;
  }
}

async function makePodDirectory(rt: Pick<PodHost, 'home'>, id: string): Promise<void> {
  await mkdir(podsDirectory(rt), { recursive: true, mode: 0o700 });
  await mkdir(podDirectory(rt, id), { mode: 0o711 });
  await chmod(podDirectory(rt, id), 0o711);
}
