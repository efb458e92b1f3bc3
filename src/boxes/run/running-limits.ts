/**
 * Changes the limits of running boxes, in the guest and on the host. A server that takes over a box
 * reapplies the limits of its record.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Services } from '../services/services.ts';
import {
  type AskedResources,
  askedHostLimits,
  changedHostLimits,
  resourcesOf,
} from '../spec/resources.ts';
import { type FreezeHost, reconcilePause } from './frozen.ts';
import type { RunningBox } from './running-box.ts';

/**
 * How long verbs for a box wait until its guest has the limits on record. A guest that hangs must
 * not hold them up.
 */
const GUEST_MS = 10_000;

/** What the limits of an adopted box need of the server. */
export type ReconcileHost = FreezeHost & Pick<Services, 'locks'>;

/** Both, or neither: what was changed before something failed is changed back. */
export async function applyToRunning(
  rt: Pick<Services, 'log'>,
  running: RunningBox,
  before: AskedResources,
  after: AskedResources,
): Promise<void> {
  const tried: (typeof inGuest)[] = [];
  try {
    for (const step of [inGuest, onHost]) {
      // Before the step, since the change may take effect although its answer is lost.
      tried.push(step);
      await step(running, before, after);
    }
  } catch (error) {
    for (const step of tried) {
      await step(running, after, before).catch((left: unknown) => {
        if (running.signal.aborted) return;
        rt.log.error('a box may be held to limits that are not its own', left, { box: running.id });
      });
    }
    throw error;
  }
}

async function inGuest(
  running: RunningBox,
  before: AskedResources,
  after: AskedResources,
): Promise<void> {
  const resources = resourcesOf(after);
  if (isDeepStrictEqual(resourcesOf(before), resources)) return;
  await (await running.guest()).putResources(resources, running.signal);
}

async function onHost(
  running: RunningBox,
  before: AskedResources,
  after: AskedResources,
): Promise<void> {
  const limits = changedHostLimits(before.limits, after.limits);
  if (limits !== undefined) await running.vm.applyLimits(limits);
}

/**
 * Reapplies what is on record after adoption: an earlier server may have ended in the middle of a
 * pause, or of an update that lifted the last limit. The caller holds the box's lock until the
 * limits are applied, or until the guest has been waited for long enough. Never rejects.
 *
 * @param reconcileRest what else is put in order, once the guest answers; it never rejects
 */
export async function reconcileAdopted(
  rt: ReconcileHost,
  running: RunningBox,
  reconcileRest: () => Promise<void>,
): Promise<void> {
  await reported(rt, running, async () => {
    await running.vm.applyLimits(askedHostLimits(rt.store.expect(running.id).definition));
  });
  await reported(rt, running, async () => {
    const guest = running.guest();
    const reconcile = async (): Promise<void> => {
      await reconcileGuest(rt, running);
      await reconcileRest();
    };
    if (await inTime(guest, GUEST_MS)) return await reconcile();
    // In turn with the verbs that came meanwhile.
    const later = guest.then(() => rt.locks.run(running.id, reconcile));
    void reported(rt, running, () => later);
  });
}

async function reconcileGuest(rt: FreezeHost, running: RunningBox): Promise<void> {
  await reported(rt, running, async () => {
    running.signal.throwIfAborted();
    await reconcilePause(rt, running);
    const { definition, state } = rt.store.expect(running.id);
    // A measured guest has the limits of its launch. In one that has ended, nothing is left to
    // limit.
    if (definition.confidential !== undefined || state.status === 'stopping') return;
    const guest = await running.guest();
    if (guest.speaks(4)) await guest.putResources(resourcesOf(definition), running.signal);
  });
}

async function reported(
  rt: Pick<Services, 'log'>,
  running: RunningBox,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (running.signal.aborted) return;
    rt.log.error('a box may be held to limits that are not its own', error, { box: running.id });
  }
}

/** Whether it settles in time. @throws the reason of its failure */
async function inTime(coming: Promise<unknown>, milliseconds: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(milliseconds, false, { ref: false, signal: timer.signal });
  late.catch(() => undefined);
  try {
    return await Promise.race([coming.then(() => true), late]);
  } finally {
    timer.abort();
  }
}
