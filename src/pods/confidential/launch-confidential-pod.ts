/**
 * Starts the microVM of a confidential pod: a measured launch, then exactly the launch spec whose
 * digest is HOST_DATA.
 *
 * @module
 */
import { join } from 'node:path';
import { measureRecord } from '@a3s-box/attestation/measure';
import { hostDataOf } from '@a3s-box/policies/host-data';
import { linkedSignal } from '../../async/linked-signal.ts';
import { hostCertificates } from '../../boxes/confidential/host-certificates.ts';
import { commandLineOf } from '../../boxes/confidential/measurement.ts';
import { makeRuntimeDirectory, runtimeDirectory } from '../../boxes/record/directories.ts';
import { vmMemory } from '../../boxes/spec/resources.ts';
import type { VmSpec } from '../../engine/vm/vm-spec.ts';
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import type { PodAttachment } from '../../networks/cni/pod-networks.ts';
import { podMac } from '../launch/describe-pod.ts';
import { endVm } from '../launch/end-vm.ts';
import { RunningPod } from '../launch/running-pod.ts';
import type { PodHost } from '../pod-host.ts';
import { podDirectory } from '../record/directories.ts';
import type { PodDefinition } from '../record/pod.ts';
import { confidentialPodShape } from './confidential-pod-shape.ts';
import { followSecrets } from './follow-secrets.ts';
import { podBoot } from './pod-boot.ts';
import { podLaunchSpec } from './pod-launch-spec.ts';

export type ConfidentialPod = PodDefinition & {
  readonly confidential: NonNullable<PodDefinition['confidential']>;
};

type Host = Pick<PodHost, 'pods' | 'runningPods' | 'runtimeDir' | 'startTimeoutMs' | 'boot'> &
  Pick<PodHost, 'engine' | 'home' | 'log' | 'shutdown'>;

/** What the simulated processor knows of the guest that it launched. */
export function podGuestState(rt: Pick<PodHost, 'home'>, id: string): string {
  return join(podDirectory(rt, id), 'processor.json');
}

/**
 * Returns when the guest has taken its launch spec. Where it does not, nothing of it is left.
 *
 * @param attached in the network that pods share, which publishes the pod's ports
 * @param left of the caller, which may give up
 * @throws A3sError `unsupported-option` for a boot set from before confidential pods,
 * `tee-unavailable`, `launch-spec-mismatch`, and as `PodAttachment.joined`
 */
export async function launchConfidentialPod(
  rt: Host,
  pod: ConfidentialPod,
  attached: PodAttachment | undefined,
  left: AbortSignal,
): Promise<RunningPod> {
  const { id, identity, confidential } = pod;
  const described = await describe(rt, pod, attached);
  const runtimeDir = runtimeDirectory(rt, id);
  const { signal, unlink } = linkedSignal(rt.shutdown, left);
  let running: RunningPod | undefined;
  try {
    await makeRuntimeDirectory(runtimeDir, identity);
    // On record before anything runs, so that the next server finds it.
    rt.pods.amendPod(id, { vm: { start: 'cold' } });
    const vm = await rt.engine.launch(described, signal);
    running = new RunningPod(id, vm, { connectMs: rt.startTimeoutMs });
    rt.runningPods.add(running);
    // A server that stops leaves the pod to the next one, which ends it.
    if (rt.shutdown.aborted) await running.release();
    const instance = await prepareGuest(rt, running, confidential);
    // Its guest needs nothing of it, but a pod that is in no network must not run.
    await attached?.joined;
    const measurement = vm.launched && measureRecord(vm.launched).digest;
    rt.pods.amendPod(id, {
      launch: { ...(measurement === undefined ? {} : { measurement }), instance },
    });
    rt.log.info('launched a confidential pod', { pod: id, measurement });
    signal.throwIfAborted();
    followSecrets(rt, running);
    return running;
  } catch (error) {
    if (running?.released !== true) await endVm(rt, { id, runtimeDir }, running);
    throw error;
  } finally {
    unlink();
  }
}

async function describe(
  rt: Host,
  pod: ConfidentialPod,
  attached: PodAttachment | undefined,
): Promise<VmSpec> {
  const { id, identity, bootSet, ports, confidential } = pod;
  const { tee, specDigest } = confidential;
  const spec = podLaunchSpec(confidential);
  const boot = await podBoot(rt, bootSet, spec);
  const { firmwarePath, kernelPath, initrdPath, vcpuType, policy } = boot;
  const { resources, network } = spec;
  const { cpus, sparePorts } = confidentialPodShape(resources);
  const uplink = attached === undefined ? { ports } : { ports: [], tap: attached.tap };
  return {
    ...{ id, identity, cpus, sparePorts },
    runtimeDir: runtimeDirectory(rt, id),
    memoryBytes: vmMemory(resources.memoryBytes ?? 0),
    boot: { kernelPath, initrdPath, commandLine: commandLineOf(boot, { tee }) },
    nic: network === 'none' ? undefined : { mac: podMac(id), ...uplink },
    disks: [],
    shares: [],
    confidential: {
      ...{ tee, firmwarePath, vcpuType, policy },
      hostData: Buffer.from(hostDataOf(specDigest, false), 'hex'),
      guestStatePath: podGuestState(rt, id),
    },
  };
}

/**
 * The guest's answer is not trusted: relying parties see in its evidence that it took these bytes.
 *
 * @returns the instance id
 */
async function prepareGuest(
  rt: Pick<PodHost, 'home'>,
  running: RunningPod,
  { tee, launchSpec, specDigest }: ConfidentialPod['confidential'],
): Promise<string> {
  const guest: Guest = await running.guest();
  const found = guest.hello?.tee;
  if (found !== tee) {
    throw new A3sError(
      'launch-spec-mismatch',
      `Cannot run the pod: its guest is ${found ?? 'no confidential one'}, and ${tee} was launched`,
    );
  }
  const taken = await guest.putLaunchSpec(launchSpec);
  if (taken.specDigest !== specDigest) {
    throw new A3sError(
      'launch-spec-mismatch',
      `Cannot run the pod: its guest took the launch spec ${taken.specDigest}, and ${specDigest} was sent`,
    );
  }
  const table = tee === 'snp' ? await hostCertificates(rt) : undefined;
  if (table !== undefined) await guest.putCertificates(table, running.signal);
  return taken.instance;
}
