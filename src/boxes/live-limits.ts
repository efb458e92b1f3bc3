/**
 * Limits of boxes that run: they change in the guest and on the host, and a server that takes over a box holds it to its record.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { Box } from './box.ts';
import type { LiveBox } from './live.ts';
import { type AskedResources, allHostLimits, hostLimitsOf, resourcesOf } from './resources.ts';
import type { Runtime } from './runtime.ts';

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
  const limits = allHostLimits(after.limits);
  if (isDeepStrictEqual(allHostLimits(before.limits), limits)) return;
  await live.machine.applyLimits(limits);
}

/**
 * An earlier server may have ended in the middle of a pause, or of an update: what is on record holds. Where the record is that of
 * any box there is nothing to do. Never rejects.
 */
export async function settleAdopted(rt: Runtime, box: Box, live: LiveBox): Promise<void> {
  const { definition, state } = box;
  const resources = resourcesOf(definition);
  const asked = definition.memoryBytes !== 0 || Object.keys(resources).length > 1;
  const limits = hostLimitsOf(definition);
  try {
    if (limits !== undefined) await live.machine.applyLimits(limits);
    const paused = state.status === 'paused';
    if (!paused && (!asked || definition.confidential !== undefined)) return;
    const guest = await live.guest();
    if (paused) await guest.freeze(live.signal);
    if (asked && definition.confidential === undefined && guest.speaks(4)) {
      await guest.putResources(resources, live.signal);
    }
  } catch (error) {
    if (live.signal.aborted) return;
    rt.log.error('a box may be held to limits that are not its own', error, { box: live.id });
  }
}
