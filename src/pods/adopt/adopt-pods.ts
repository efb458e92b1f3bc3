/**
 * Takes over the pods that an earlier server left, at whatever point it ended.
 *
 * @module
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AdoptionTiming } from '../../boxes/adopt/adopt.ts';
import { now, timestamp } from '../../boxes/record/clock.ts';
import { runtimeDirectory } from '../../boxes/record/directories.ts';
import { retryRecord } from '../../boxes/supervise/retry-record.ts';
import type { Vm } from '../../engine/vm/vm.ts';
import { type ContainerState, MAIN } from '../../guest/protocol.ts';
import { finality } from '../../guest/refusal.ts';
import { isRecordFull } from '../../state/reserve.ts';
import { followSecrets } from '../confidential/follow-secrets.ts';
import { podGuestState } from '../confidential/launch-confidential-pod.ts';
import { leaveGuest, recordEnd, recordNoStart } from '../containers/end-container.ts';
import { drainExecs } from '../containers/end-exec.ts';
import { followContainer } from '../containers/follow-container.ts';
import { endPod, followPod } from '../launch/follow-pod.ts';
import { RunningPod } from '../launch/running-pod.ts';
import { removeStopped } from '../launch/stop-pod.ts';
import type { PodHost } from '../pod-host.ts';
import type { Container } from '../record/container.ts';
import { podDirectory, podsDirectory } from '../record/directories.ts';
import { mayBeInGuest, mayHavePodVm } from '../record/states.ts';

/** How often, and how far apart, a microVM that does not answer is asked. */
const TIMING: Pick<AdoptionTiming, 'attempts' | 'pauseMs'> = { attempts: 6, pauseMs: 5000 };
/** Pause before a guest is asked again. */
const RETRY_MS = 500;

/**
 * Reconciles every record with what exists. When it returns, each pod has been looked for once, and
 * its lock is held until it is taken over: verbs wait for it.
 */
export async function adoptPods(rt: PodHost, timing: typeof TIMING = TIMING): Promise<void> {
  await sweepDirectories(rt);
  const withVm = rt.pods.pods().filter(({ state }) => mayHavePodVm(state.status));
  const kept = withVm.map(({ definition }) => definition.id);
  await rt.podNetworks.reconcile(kept);
  await sweepMounts(rt, kept);
  await Promise.all(rt.pods.pods().map(({ definition }) => adoptPod(rt, definition.id, timing)));
}

/**
 * Settles when the pod's fate is decided, its microVM did not answer the first time, or the disk
 * has no room for a record.
 */
function adoptPod(rt: PodHost, id: string, timing: typeof TIMING): Promise<void> {
  const failure = 'a pod could not be adopted: the disk has no room for its record';
  return new Promise((answered) => {
    const isRetried = (error: unknown): boolean => {
      answered();
      return isRecordFull(error) && !rt.shutdown.aborted;
    };
    // Between two attempts the lock is free: removing a pod may be what makes room.
    retryRecord(rt, { fields: { pod: id }, failure, isRetried }, () =>
      rt.locks.run(id, () => reconcilePod(rt, id, timing, answered)),
    )
      .catch((error: unknown) => {
        if (!rt.shutdown.aborted) rt.log.error('a pod could not be adopted', error, { pod: id });
      })
      .finally(answered);
  });
}

async function reconcilePod(
  rt: PodHost,
  id: string,
  timing: typeof TIMING,
  answered: () => void,
): Promise<void> {
  const known = rt.runningPods.get(id);
  // Of an attempt whose records could not all be written.
  if (known !== undefined) return await adoptContainers(rt, known);
  switch (rt.pods.pod(id)?.state.status) {
    case 'starting':
      // No caller has its id.
      await endPod(rt, id, 'the server ended while the pod was starting');
      return await removeStopped(rt, id);
    case 'removing':
      return await removeStopped(rt, id);
    case 'stopped':
    case undefined:
      return;
    case 'ready': {
      const vm = await findVm(rt, id, timing, answered);
      if (vm === undefined || vm === 'silent') {
        const why = vm === undefined ? 'it was gone when the server came' : 'it did not answer';
        return await endPod(rt, id, `the microVM of the pod: ${why}`);
      }
      if (rt.shutdown.aborted) return await vm.release();
      const running = new RunningPod(id, vm, { connectMs: rt.startTimeoutMs });
      rt.runningPods.add(running);
      rt.log.info('adopted a pod', { pod: id, pid: vm.pid });
      followSecrets(rt, running);
      // The guest may take its time. Verbs for this pod wait.
      answered();
      try {
        await adoptContainers(rt, running);
      } finally {
        followPod(rt, running);
      }
    }
  }
}

async function findVm(
  rt: Pick<PodHost, 'engine' | 'runtimeDir' | 'log' | 'shutdown' | 'pods' | 'home'>,
  id: string,
  timing: typeof TIMING,
  answered: () => void,
): Promise<Vm | 'silent' | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await rt.engine.adopt(id, runtimeDirectory(rt, id), processorOf(rt, id));
    } catch (error) {
      rt.log.error('the microVM of a pod did not answer', error, { pod: id, attempt });
    }
    answered();
    if (attempt === timing.attempts) return 'silent';
    await delay(timing.pauseMs, undefined, { signal: rt.shutdown });
  }
}

/** What the engine needs for the simulated processor of a confidential pod. */
function processorOf(rt: Pick<PodHost, 'pods' | 'home'>, id: string) {
  const confidential = rt.pods.pod(id)?.definition.confidential;
  if (confidential === undefined) return undefined;
  return { tee: confidential.tee, guestStatePath: podGuestState(rt, id) };
}

/**
 * Takes over the containers of a pod. One connection that breaks is no reason to end them: the pod
 * ends where its guest refuses, or does not answer for as long as a start may take.
 */
async function adoptContainers(rt: PodHost, running: RunningPod): Promise<void> {
  const until = performance.now() + rt.startTimeoutMs;
  while (!running.signal.aborted) {
    try {
      return await findContainers(rt, running);
    } catch (error) {
      if (running.signal.aborted) return;
      if (isRecordFull(error)) throw error;
      rt.log.error('the containers of a pod were not found', error, { pod: running.id });
      if (finality(error) !== undefined || performance.now() >= until) {
        return await running.vm.kill();
      }
      await delay(RETRY_MS, undefined, { signal: running.signal }).catch(() => undefined);
    }
  }
}

/**
 * Follows the containers that run, and has the guest give up all others that the agent or a
 * record names, with their disks.
 */
async function findContainers(rt: PodHost, running: RunningPod): Promise<void> {
  const guest = await running.guest();
  const there = new Map(
    (await guest.containers(running.signal)).map((container) => [container.id, container]),
  );
  for (const container of rt.pods.containers(running.id)) {
    const { id } = container.definition;
    const found = there.get(id);
    there.delete(id);
    if (running.followed.has(id)) continue;
    if (isAdopted(rt, container, found)) {
      followContainer(rt, running, id);
      void drainExecs(rt, running, id);
    } else await leaveGuest(rt, running, id);
  }
  // Of containers whose records are gone.
  for (const id of there.keys()) await leaveGuest(rt, running, id);
}

/** Whether it runs, or has run and its end has to be recorded. */
function isAdopted(
  rt: Pick<PodHost, 'pods'>,
  { definition: { id }, state: { status } }: Container,
  found: ContainerState | undefined,
): boolean {
  if (!mayBeInGuest(status)) return false;
  const main = found?.processes.find((process) => process.id === MAIN);
  if (main === undefined || main.state === 'created') {
    if (status === 'starting') {
      recordNoStart(rt, id, 'the server ended while the container was starting');
      return false;
    }
    const why = 'its end was not seen: the guest did not have it any more when the server came';
    recordEnd(rt, id, undefined, why);
    return false;
  }
  if (status === 'starting') {
    rt.pods.advanceContainer(id, 'started', { startedAt: timestamp(now()), user: main.user });
  }
  return true;
}

/** The disk of a container, or what was made of it. */
const DISK = /^([0-9a-f]{64})\.ext4(\.new)?$/;

/** Removes the directories of pods that are not on record, and the disks of such containers. */
async function sweepDirectories(rt: Pick<PodHost, 'home' | 'pods'>): Promise<void> {
  const directory = podsDirectory(rt);
  const names = await readdir(directory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) {
    if (rt.pods.pod(name) !== undefined) await sweepDisks(rt, name);
    else await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function sweepDisks(rt: Pick<PodHost, 'home' | 'pods'>, pod: string): Promise<void> {
  const directory = podDirectory(rt, pod);
  for (const name of await readdir(directory)) {
    const [, id] = DISK.exec(name) ?? [];
    if (id === undefined || rt.pods.container(id) !== undefined) continue;
    await rm(join(directory, name), { force: true });
  }
}

/** One mount that stays keeps no pod from being taken over. */
async function sweepMounts(
  rt: Pick<PodHost, 'podMounts' | 'log'>,
  kept: readonly string[],
): Promise<void> {
  const left = (await rt.podMounts.list()).filter((pod) => !kept.includes(pod));
  await Promise.all(
    left.map((pod) =>
      rt.podMounts.end(pod).catch((error: unknown) => {
        rt.log.error('a pod has left something on its node', error, { pod });
      }),
    ),
  );
}
