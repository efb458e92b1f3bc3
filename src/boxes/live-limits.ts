/**
 * Limits of boxes that run: they change in the guest and on the host, and a server that takes over a box holds it to its record.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Box } from './box.ts';
import type { LiveBox } from './live.ts';
import { type AskedResources, changedHostLimits, hostLimitsOf, resourcesOf } from './resources.ts';
import type { Runtime } from './runtime.ts';

/** How long verbs for a box wait for its guest to be held to the record: one that hangs must not keep them off. */
const SETTLE_MS = 10_000;

/** Both, or neither: what was changed before something failed is changed back. */
export async function applyLive(
  rt: Pick<Runtime, 'log'>,
  live: LiveBox,
  before: AskedResources,
  after: AskedResources,
): Promise<void> {
  const tried: (typeof inGuest)[] = [];
  try {
    for (const step of [inGuest, onHost]) {
      // Before it is done: it may be, although nobody hears of it.
      tried.push(step);
      await step(live, before, after);
    }
  } catch (error) {
    for (const step of tried) {
      await step(live, after, before).catch((left: unknown) => {
        if (live.signal.aborted) return;
        rt.log.error('a box may be held to limits that are not its own', left, { box: live.id });
      });
    }
    throw error;
  }
}

async function inGuest(
  live: LiveBox,
  before: AskedResources,
  after: AskedResources,
): Promise<void> {
  const resources = resourcesOf(after);
  if (isDeepStrictEqual(resourcesOf(before), resources)) return;
  await (await live.guest()).putResources(resources, live.signal);
}

async function onHost(live: LiveBox, before: AskedResources, after: AskedResources): Promise<void> {
  const limits = changedHostLimits(before.limits, after.limits);
  if (limits !== undefined) await live.machine.applyLimits(limits);
}

/**
 * An earlier server may have ended in the middle of a pause, or of an update: what is on record holds. Where the record is that of
 * any box there is nothing to do. Never rejects.
 */
export async function settleAdopted(rt: Runtime, box: Box, live: LiveBox): Promise<void> {
  const { definition, state } = box;
  const resources = resourcesOf(definition);
  // One that is measured has those of its launch.
  const asked = definition.memoryBytes !== 0 || Object.keys(resources).length > 1;
  const inGuest = asked && definition.confidential === undefined;
  const paused = state.status === 'paused';
  const limits = hostLimitsOf(definition);
  const settling = async (): Promise<void> => {
    if (limits !== undefined) await live.machine.applyLimits(limits);
    if (!paused && !inGuest) return;
    const guest = await live.guest();
    if (paused) await guest.freeze(live.signal);
    if (inGuest && guest.speaks(4)) await guest.putResources(resources, live.signal);
  };
  const settled = settling().catch((error: unknown) => {
    if (live.signal.aborted) return;
    rt.log.error('a box may be held to limits that are not its own', error, { box: live.id });
  });
  const timer = new AbortController();
  const late = delay(SETTLE_MS, undefined, { ref: false, signal: timer.signal });
  await Promise.race([settled, late.catch(() => undefined)]);
  timer.abort();
}
