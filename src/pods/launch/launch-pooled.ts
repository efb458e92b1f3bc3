/**
 * Starts a pod in a microVM that waited for it: the guest is there, and so is the file server. It
 * gets its card and the pod's spec.
 *
 * @module
 */
import { rename, rm } from 'node:fs/promises';
import { linkedSignal } from '../../async/linked-signal.ts';
import { settleAll } from '../../async/settle-all.ts';
import type { PooledVm } from '../../boxes/pool/vm-pools.ts';
import { runtimeDirectory } from '../../boxes/record/directories.ts';
import { Handshake } from '../../boxes/run/handshake.ts';
import { A3sError } from '../../errors.ts';
import type { PodHost } from '../pod-host.ts';
import { slotDisk } from '../record/directories.ts';
import type { PodDefinition } from '../record/pod.ts';
import { describePod } from './describe-pod.ts';
import { endVm } from './end-vm.ts';
import type { PodPlaces } from './pod-places.ts';
import { RunningPod } from './running-pod.ts';

type PooledHost = Pick<
  PodHost,
  'home' | 'runningPods' | 'runtimeDir' | 'startTimeoutMs' | 'boot' | 'engine' | 'shutdown'
>;

/**
 * Returns when the guest has the pod's spec. Where it cannot, the microVM is gone, and another one
 * can be started for the pod.
 *
 * @param left of the caller, which may give up
 */
export async function launchPooled(
  rt: PooledHost,
  pod: PodDefinition,
  pooled: PooledVm,
  { attached, shared }: PodPlaces,
  left: AbortSignal,
): Promise<RunningPod> {
  const { id, identity } = pod;
  const { vm, guest, taken, writableLayerPath, directory } = pooled;
  const runtimeDir = runtimeDirectory(rt, id);
  const slotted = slotDisk(rt, id);
  const running = new RunningPod(id, vm, {
    ...{ connectMs: rt.startTimeoutMs, held: taken, guest },
  });
  const { signal, unlink } = linkedSignal(rt.shutdown, left, running.signal);
  try {
    rt.runningPods.add(running);
    // A server that stops leaves the pod to the next one, which ends it.
    if (rt.shutdown.aborted) await running.release();
    signal.throwIfAborted();
    const boot = await rt.boot.open(pod.bootSet);
    const given = { boot, runtimeDir, disks: [], taken, attached, shared };
    const { vm: described, spec } = await describePod(pod, given);
    // A container takes it for its own: see attachContainer.
    await rename(writableLayerPath, slotted).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new A3sError('vmm-failed', `Cannot take the disk of a microVM of a pool: ${why}`, {
        cause,
      });
    });
    await rm(directory, { recursive: true, force: true });
    const attach = async (): Promise<void> => {
      if (described.nic === undefined) return;
      const { mac, ports, tap } = described.nic;
      await vm.attachNic(0, { mac, uplink: tap === undefined ? { ports, identity } : { tap } });
    };
    const handshake = new Handshake(id, taken.protocol, async (agent) =>
      agent.putPod(await spec()),
    );
    // The guest goes on while its card comes, and waits for it when it needs it.
    await settleAll([attach(), vm.resume(), handshake.known.first(guest, signal)]);
    await handshake.specSent;
    signal.throwIfAborted();
    return running;
  } catch (error) {
    const { vmExit } = running;
    if (!running.released) {
      await endVm(rt, { id, runtimeDir }, running);
      await rm(slotted, { force: true });
      await rm(directory, { recursive: true, force: true });
    }
    if (vmExit === undefined) throw error;
    throw new A3sError('vmm-failed', `A microVM of a pool ended: ${vmExit.reason}`, {
      cause: error,
    });
  } finally {
    unlink();
  }
}
