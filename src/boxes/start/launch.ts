/**
 * From a description to a box whose main process runs: the machine, its guest, and what watches over both.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { settleAll } from '../../async/settle-all.ts';
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import { MAIN } from '../../guest/protocol.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import { hostSeesOutput } from '../confidential/host-may.ts';
import { teeAttributes } from '../confidential/show.ts';
import { changesPath, syncChangesDisk } from '../disks/writable-layer.ts';
import { firstHealth } from '../health/health-state.ts';
import { trustAttributes } from '../policy/trust-record.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { machineAttributes } from '../record/machine-of.ts';
import { RunningBox } from '../run/running-box.ts';
import { type Followed, mainExit, supervise } from '../run/supervise.ts';
import { publish, type Runtime } from '../runtime.ts';
import type { Found } from './describe.ts';
import { enter } from './enter.ts';
import { type Launched, launchMachine } from './launch-machine.ts';
import { WAKE_MS, Waking } from './warm.ts';

/** A box whose guest has its spec, and its output's log open. */
export interface Begun {
  readonly running: RunningBox;
  readonly guest: Guest;
  /** Where its output goes on. */
  readonly offset: number;
  /** Settles when its disk of changes outlasts a power cut, as a record that says it runs does. */
  readonly durable: Promise<void>;
}

/** Everything up to the start of the main process: a machine that runs, with a guest that has the spec. */
export async function begin(
  rt: Runtime,
  box: Box,
  found: Found,
  taken: TakenTemplate | undefined,
): Promise<Begun> {
  const { definition, state } = box;
  const { id } = definition;
  const opened = rt.outputs.of(id).open(state.run, !definition.autoRemove);
  const failed = opened.catch(() => undefined);
  let launched: Launched;
  try {
    launched = await launchMachine(rt, box, found, taken);
  } catch (error) {
    await failed;
    throw error;
  }
  const { machine, spec, throwaway } = launched;
  const durable = found.keptChanges ? Promise.resolve() : syncChanges(rt, definition);
  // Whoever starts the main process learns of it; until then nobody may.
  durable.catch(() => undefined);
  const waking = taken === undefined ? undefined : new Waking(machine.id, taken.protocol, spec);
  const connectMs = Math.min(WAKE_MS, rt.startTimeoutMs);
  const running = new RunningBox(id, state.run, machine, {
    connectMs: rt.startTimeoutMs,
    copy: waking === undefined ? undefined : { known: waking.known, connectMs },
    held: taken,
  });
  await enter(rt, running);
  try {
    const guest = await (waking === undefined ? running.guest() : wake(running));
    await (waking?.specSent ?? guest.putSpec(spec, running.signal));
    // The machine has it open.
    if (throwaway !== undefined) await rm(throwaway, { force: true });
    return { running, guest, offset: await opened, durable };
  } catch (error) {
    await failed;
    if (!running.released) await abandon(rt, running);
    throw error;
  }
}

/** Of a disk that is new, beside all that a start waits for; not for a box that goes with the host's power. */
export async function syncChanges(
  rt: Pick<Runtime, 'home'>,
  { id, autoRemove }: BoxDefinition,
): Promise<void> {
  if (!autoRemove) await syncChangesDisk(changesPath(rt, id));
}

/** Nothing of the box is in a copy that was not woken: whatever is wrong with it is wrong with the template. */
async function wake(running: RunningBox): Promise<Guest> {
  try {
    return await running.guest();
  } catch (cause) {
    if (running.released || !(cause instanceof A3sError)) throw cause;
    throw new A3sError(
      'template-unusable',
      `A copy of the template does not wake: ${cause.message}`,
      {
        cause,
      },
    );
  }
}

/** Starts it, and says so on record. Its output and its end are asked for in the same breath. */
export async function startMain(
  rt: Runtime,
  { running, guest, offset, durable }: Begun,
): Promise<void> {
  const started = guest.startMain(running.signal);
  const followed: Followed = {
    guest,
    progress: { offset },
    output: hostSeesOutput(rt.store.expect(running.id))
      ? guest.output(MAIN, offset, running.signal)
      : undefined,
    exit: mainExit(guest, running.signal),
  };
  for (const each of [followed.output, followed.exit]) each?.catch(() => undefined);
  try {
    await settleAll([started, durable]);
    enterRunning(rt, running, followed);
  } catch (error) {
    followed.output?.then(
      (reader) => reader.close(),
      () => undefined,
    );
    if (!running.released) await abandon(rt, running);
    throw error;
  }
}

/**
 * The main process runs: says so on record, and watches over it from here on.
 *
 * @param followed what of it is followed already
 */
export function enterRunning(rt: Runtime, running: RunningBox, followed?: Followed): void {
  const box = rt.store.advance(running.id, 'started', {
    pid: running.machine.pid,
    startedAt: timestamp(now()),
    health: firstHealth(rt.store.expect(running.id).definition),
  });
  publish(rt, box, 'start', {
    ...trustAttributes(box.state.trust),
    ...machineAttributes(box.state.machine),
    ...teeAttributes(box),
  });
  supervise(rt, running, followed);
}

/** Ends the machine of a start that failed. */
export async function abandon(rt: Runtime, running: RunningBox): Promise<void> {
  await running.machine.kill();
  await running.machine.exited;
  await running.release();
  rt.running.delete(running);
  running.finish();
}
