/**
 * From a description to a box whose main process runs: the machine, its guest, and what watches over both.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { A3sError } from '../errors.ts';
import type { Guest } from '../guest/guest.ts';
import type { TakenTemplate } from '../templates/templates.ts';
import type { Box } from './box.ts';
import { now, timestamp } from './clock.ts';
import { type Launched, launchMachine } from './launch.ts';
import { LiveBox } from './live.ts';
import type { Found } from './machine.ts';
import { machineAttributes } from './machine-of.ts';
import { publish, type Runtime } from './runtime.ts';
import { supervise } from './supervise.ts';
import { trustAttributes } from './trust-record.ts';
import { WAKE_MS, wakesAs } from './warm.ts';

/** Everything up to the start of the main process: a machine that runs, with a guest that has the spec. */
export async function begin(
  rt: Runtime,
  box: Box,
  found: Found,
  taken: TakenTemplate | undefined,
): Promise<LiveBox> {
  const { definition, state } = box;
  const { id } = definition;
  const opened = rt.outputs.of(id).open(state.run);
  const failed = opened.catch(() => undefined);
  let launched: Launched;
  try {
    launched = await launchMachine(rt, box, found, taken);
  } catch (error) {
    await failed;
    throw error;
  }
  const connectMs = Math.min(WAKE_MS, rt.startTimeoutMs);
  const live = new LiveBox(id, state.run, launched.machine, {
    connectMs: rt.startTimeoutMs,
    copy:
      taken === undefined ? undefined : { known: wakesAs(launched.machine.id, taken), connectMs },
    held: taken,
  });
  rt.live.add(live);
  if (rt.shutdown.aborted) await live.release();
  try {
    const guest = taken === undefined ? await live.guest() : await wake(live);
    await guest.putSpec(launched.spec, live.signal);
    // The machine has it open.
    if (launched.throwaway !== undefined) await rm(launched.throwaway, { force: true });
    await opened;
    return live;
  } catch (error) {
    await failed;
    if (!live.released) await abandon(rt, live);
    throw error;
  }
}

/** Nothing of the box is in a copy that was not woken: whatever is wrong with it is wrong with the template. */
async function wake(live: LiveBox): Promise<Guest> {
  try {
    return await live.guest();
  } catch (cause) {
    if (live.released || !(cause instanceof A3sError)) throw cause;
    throw new A3sError(
      'template-unusable',
      `A copy of the template does not wake: ${cause.message}`,
      {
        cause,
      },
    );
  }
}

/** Starts it, and says so on record. */
export async function startMain(rt: Runtime, live: LiveBox): Promise<void> {
  try {
    const guest = await live.guest();
    await guest.startMain(live.signal);
    enterRunning(rt, live);
  } catch (error) {
    if (!live.released) await abandon(rt, live);
    throw error;
  }
}

/** The main process runs: says so on record, and watches over it from here on. */
export function enterRunning(rt: Runtime, live: LiveBox): void {
  const box = rt.store.advance(live.id, 'started', {
    pid: live.machine.pid,
    startedAt: timestamp(now()),
  });
  publish(rt, box, 'start', {
    ...trustAttributes(box.state.trust),
    ...machineAttributes(box.state.machine),
  });
  supervise(rt, live);
}

/** Ends the machine of a start that failed. */
export async function abandon(rt: Runtime, live: LiveBox): Promise<void> {
  await live.machine.kill();
  await live.machine.exited;
  await live.release();
  rt.live.delete(live);
  live.finish();
}
