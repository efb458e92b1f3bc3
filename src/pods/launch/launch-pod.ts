/**
 * Starts the microVM of a pod, in one that waited or from a template where there is one, and gives
 * its guest the pod's spec.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { linkedSignal } from '../../async/linked-signal.ts';
import type { PooledVm } from '../../boxes/pool/vm-pools.ts';
import { makeRuntimeDirectory, runtimeDirectory } from '../../boxes/record/directories.ts';
import { Handshake, RESUME_MS } from '../../boxes/run/handshake.ts';
import { podShape } from '../../boxes/spec/pod-shape.ts';
import type { Disk } from '../../engine/vm/devices.ts';
import type { GuestBoot } from '../../engine/vm/guest-boot.ts';
import { TEMPLATE_SLOTS } from '../../engine/vm/slots.ts';
import { A3sError, ERRORS } from '../../errors.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import { launchConfidentialPod } from '../confidential/launch-confidential-pod.ts';
import type { PodHost } from '../pod-host.ts';
import { slotDisk } from '../record/directories.ts';
import type { Pod, PodDefinition } from '../record/pod.ts';
import { describePod } from './describe-pod.ts';
import { endVm } from './end-vm.ts';
import { launchPooled } from './launch-pooled.ts';
import type { PodPlaces } from './pod-places.ts';
import { RunningPod } from './running-pod.ts';

type LaunchHost = Pick<
  PodHost,
  | 'home'
  | 'pods'
  | 'runningPods'
  | 'runtimeDir'
  | 'startTimeoutMs'
  | 'boot'
  | 'engine'
  | 'templates'
> &
  Pick<PodHost, 'home' | 'log' | 'shutdown'>;

/**
 * Returns when the guest has the pod's spec. Where it cannot, it leaves no process behind.
 *
 * @param pooled a microVM that waited, and is the pod's now
 * @param signal of the caller, which may give up
 */
export async function launchPod(
  rt: LaunchHost,
  { definition }: Pod,
  places: PodPlaces,
  pooled: PooledVm | undefined,
  signal: AbortSignal,
): Promise<RunningPod> {
  const { confidential } = definition;
  const { attached, shared } = places;
  if (pooled !== undefined) {
    try {
      return await launchPooled(rt, definition, pooled, places, signal);
    } catch (error) {
      expectPooledFault(rt, pooled, error, signal);
    }
  }
  if (confidential !== undefined) {
    return await launchConfidentialPod(rt, { ...definition, confidential }, attached, signal);
  }
  const boot = await rt.boot.open(definition.bootSet);
  const shape = podShape(definition.nanoCpus, boot);
  // No driver is loaded in a guest once it was prepared.
  const taken = definition.privileged ? undefined : await rt.templates.take(shape);
  let suspicion: string | undefined;
  if (taken !== undefined) {
    try {
      return await launchFrom(rt, definition, { boot, taken, attached, shared }, signal);
    } catch (error) {
      taken.release();
      suspicion = await templateFailure(rt, definition, { error, taken }, signal);
    }
  }
  const running = await launchFrom(
    ...([rt, definition, { boot, taken: undefined, attached, shared }, signal] as const),
  );
  if (taken !== undefined && suspicion !== undefined) {
    await rt.templates.drop(taken.template.key, suspicion);
  }
  rt.templates.booted(shape);
  return running;
}

/**
 * The microVM may be at fault, which had the memory of its template already: no failure is the
 * template's.
 *
 * @throws the error, where another microVM would not start either
 */
function expectPooledFault(
  rt: LaunchHost,
  { vm }: PooledVm,
  error: unknown,
  signal: AbortSignal,
): void {
  if (!(error instanceof A3sError) || signal.aborted || rt.shutdown.aborted) throw error;
  if (ERRORS[error.code].machineFault !== 'possible') throw error;
  rt.log.error('a pod could not start in a microVM of a pool', error, { pod: vm.id });
}

/**
 * What the template may have done, for a pod that boots now.
 *
 * @throws the error, where the pod would not boot either
 */
async function templateFailure(
  rt: LaunchHost,
  { id }: PodDefinition,
  { error, taken }: { readonly error: unknown; readonly taken: TakenTemplate },
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!(error instanceof A3sError) || signal.aborted || rt.shutdown.aborted) throw error;
  const { machineFault } = ERRORS[error.code];
  if (machineFault === undefined) throw error;
  const { key } = taken.template;
  rt.log.error('a pod could not start from its template, so it boots', error, {
    ...{ pod: id, template: key },
  });
  if (machineFault === 'certain') await rt.templates.drop(key, error.message);
  return machineFault === 'possible' ? error.message : undefined;
}

interface LaunchedFrom extends PodPlaces {
  readonly boot: GuestBoot;
  readonly taken: TakenTemplate | undefined;
}

async function launchFrom(
  rt: LaunchHost,
  pod: PodDefinition,
  { boot, taken, attached, shared }: LaunchedFrom,
  left: AbortSignal,
): Promise<RunningPod> {
  const { id, identity } = pod;
  const runtimeDir = runtimeDirectory(rt, id);
  const slotted = slotDisk(rt, id);
  const { signal, unlink } = linkedSignal(rt.shutdown, left);
  let running: RunningPod | undefined;
  try {
    await makeRuntimeDirectory(runtimeDir, identity);
    // A container takes it for its own: see attachContainer.
    await taken?.writeChanges(slotted, identity);
    const slot: Disk = { path: slotted, serial: TEMPLATE_SLOTS.changes, readonly: false };
    const disks = taken === undefined ? [] : [slot];
    const given = { boot, runtimeDir, disks, taken, attached, shared };
    const { vm: described, spec } = await describePod(pod, given);
    // On record before anything runs, so that the next server finds it.
    const start = taken === undefined ? 'cold' : 'template';
    const source = taken === undefined ? {} : { source: taken.template.key };
    rt.pods.amendPod(id, { vm: { start, ...source } });
    const vm = await rt.engine.launch(described, signal);
    const handshake =
      taken === undefined
        ? undefined
        : new Handshake(id, taken.protocol, async (guest) => guest.putPod(await spec()));
    running = new RunningPod(id, vm, {
      connectMs: rt.startTimeoutMs,
      held: taken,
      ...(handshake === undefined
        ? {}
        : {
            firstContact: {
              known: handshake.known,
              connectMs: Math.min(RESUME_MS, rt.startTimeoutMs),
            },
          }),
    });
    rt.runningPods.add(running);
    // A server that stops leaves the pod to the next one, which ends it.
    if (rt.shutdown.aborted) await running.release();
    const guest = await running.guest();
    await (handshake === undefined ? guest.putPod(await spec(), signal) : handshake.specSent);
    signal.throwIfAborted();
    return running;
  } catch (error) {
    if (running?.released !== true) {
      await endVm(rt, { id, runtimeDir }, running);
      await rm(slotted, { force: true });
    }
    throw error;
  } finally {
    unlink();
  }
}
