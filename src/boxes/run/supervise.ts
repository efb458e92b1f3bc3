/**
 * Watching over a running box: its output goes to the log, its exit to the record.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Guest } from '../../guest/guest.ts';
import type { OutputReader } from '../../guest/output.ts';
import { type Exit, MAIN } from '../../guest/protocol.ts';
import { guestText } from '../../guest/refusal.ts';
import { hostSeesOutput } from '../confidential/host-may.ts';
import { teeAttributes } from '../confidential/show.ts';
import { expiredBy, watchSecrets } from '../confidential/watch-secrets.ts';
import { watchHealth } from '../health/watch-health.ts';
import { keepsOutput } from '../output/keeps-output.ts';
import type { Box } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { isLive } from '../record/states.ts';
import { publish, type Runtime } from '../runtime.ts';
import { finishRun } from './finish-run.ts';
import type { LiveBox } from './live.ts';

/** Time for a guest to sync its disks and end. */
const POWEROFF_MS = 15_000;
/** Pause before a lost connection is tried again after an attempt that failed as a whole. */
const RETRY_MS = 500;
/** Time for output to reach the disk once its machine is gone. */
const REST_MS = 5000;
const RECORD_RETRY_MS = 5000;
/** Output that may wait for the disk: twice the agent's ring, so that an agent that ignores it is held too. */
const UNSAFE_BYTES = 2 * 1024 * 1024;

/** What was asked of a guest when it was told to start the main process. */
export interface Followed {
  readonly guest: Guest;
  readonly progress: Progress;
  /** Undefined where the host may not see it. */
  readonly output: Promise<OutputReader> | undefined;
  readonly exit: Promise<Exit>;
}

/** How much of the output is in the log, or on its way there. */
interface Progress {
  offset: number;
}

/**
 * Follows the box to its end, in the background; `live.finished` tells when.
 *
 * @param followed what is followed already; its log is open then
 */
export function supervise(rt: Runtime, live: LiveBox, followed?: Followed): void {
  live.watched = true;
  void watchSecrets(rt, live);
  void watchHealth(rt, live);
  void (async () => {
    try {
      const exit = await followMain(rt, live, followed);
      await Promise.race([concludeSurely(rt, live, exit), live.left]);
    } catch (error) {
      if (!live.released) rt.log.error('a box was lost sight of', error, { box: live.id });
    } finally {
      rt.live.delete(live);
      live.finish();
    }
  })();
}

/** On a full disk the record cannot be written: tries until it can, so that no exit code is lost. */
async function concludeSurely(rt: Runtime, live: LiveBox, exit: Exit | undefined): Promise<void> {
  for (;;) {
    try {
      return await conclude(rt, live, exit);
    } catch (error) {
      if (live.released) throw error;
      rt.log.error('the end of a box could not be recorded', error, { box: live.id });
      await delay(RECORD_RETRY_MS, undefined, { ref: false });
    }
  }
}

/** The exit of the main process, with all its output safe unless its machine went; undefined when that ended first. */
async function followMain(
  rt: Runtime,
  live: LiveBox,
  followed: Followed | undefined,
): Promise<Exit | undefined> {
  const box = rt.store.expect(live.id);
  const { state, definition } = box;
  if (state.status === 'stopping') return undefined;
  const seesOutput = hostSeesOutput(box);
  const log = rt.outputs.of(live.id);
  let progress = followed?.progress;
  let first = followed;
  let heard: Exit | undefined;
  for (;;) {
    try {
      if (progress === undefined || log.broken) {
        // That of a copy begins behind what the process of its snapshot had written.
        const logged = seesOutput ? await log.open(live.run, !definition.autoRemove) : 0;
        const gone = keepsOutput(box) ? (state.machine?.written ?? 0) : await passed(live);
        progress = { offset: Math.max(logged, gone) };
      }
      const { output, exit } = first ?? (await follow(live, progress, seesOutput));
      first = undefined;
      // An agent of protocol 4 tells at once, so that it is known whatever becomes of the output.
      exit.then(
        (known) => {
          heard = known;
        },
        () => undefined,
      );
      if (output !== undefined) await copyOutput(rt, live, await output, progress);
      return await exit;
    } catch (error) {
      first = undefined;
      if (live.released) throw error;
      if (live.machineExit !== undefined) {
        await saveRest(rt, live.id);
        return heard;
      }
      rt.log.error('the connection to a box was lost', error, { box: live.id });
      await delay(RETRY_MS, undefined, { signal: live.signal }).catch(() => undefined);
    }
  }
}

/** What an earlier server has taken of output that is kept nowhere. */
async function passed(live: LiveBox): Promise<number> {
  return (await (await live.guest()).process(MAIN, live.signal)).acknowledged;
}

/** Asks for both at once: the answer to the second has not far to go then. */
async function follow(
  live: LiveBox,
  { offset }: Progress,
  seesOutput: boolean,
): Promise<Pick<Followed, 'output' | 'exit'>> {
  const guest = await live.guest();
  const output = seesOutput ? guest.output(MAIN, offset, live.signal) : undefined;
  const exit = mainExit(guest, live.signal);
  exit.catch(() => undefined);
  return { output, exit };
}

/** As soon as it can be told. */
export function mainExit(guest: Guest, signal: AbortSignal): Promise<Exit> {
  return guest.speaks(4) ? guest.ended(MAIN, signal) : guest.exit(MAIN, signal);
}

/** What had arrived when the machine went. On a full disk it is given up: nothing can be held back any more. */
async function saveRest(rt: Runtime, id: string): Promise<void> {
  const log = rt.outputs.of(id);
  const timer = setTimeout(() => void log.close(), REST_MS);
  try {
    await log.flush();
  } catch (error) {
    rt.log.error('the last output of a box is lost', error, { box: id });
  } finally {
    clearTimeout(timer);
  }
}

async function copyOutput(
  rt: Runtime,
  live: LiveBox,
  reader: OutputReader,
  progress: Progress,
): Promise<void> {
  const log = rt.outputs.of(live.id);
  let acknowledging: Promise<void> | undefined;
  let acknowledged = progress.offset;
  let failure: unknown;
  const acknowledge = async (): Promise<void> => {
    while (acknowledged < progress.offset) {
      const safe = progress.offset;
      await log.flush();
      acknowledged = safe;
      reader.ack(safe);
    }
  };
  for await (const { stream, offset, data } of reader) {
    if (failure !== undefined) throw failure;
    const kind = stream === 'stdout' ? 1 : 2;
    log.append({ stream: kind, run: live.run, time: now(), offset, payload: data });
    progress.offset = offset + data.length;
    acknowledging ??= acknowledge()
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => {
        acknowledging = undefined;
      });
    if (progress.offset - acknowledged > UNSAFE_BYTES) await acknowledging;
  }
  await acknowledging;
  if (failure !== undefined) throw failure;
  await log.flush();
}

/** The end of a run, in an order that a crash at any point can be picked up from. */
async function conclude(rt: Runtime, live: LiveBox, exit: Exit | undefined): Promise<void> {
  const { state } = rt.store.expect(live.id);
  if (exit !== undefined && (state.status === 'running' || state.status === 'paused')) {
    const expired = expiredBy(exit, state);
    const ended = rt.store.advance(live.id, 'ended', {
      ...expired,
      exitCode: exit.exitCode,
      oomKilled: exit.oomKilled,
      ...(exit.error ? { error: guestText(exit.error.message) } : {}),
      finishedAt: timestamp(now()),
    });
    if (expired.launch !== undefined) publish(rt, ended, 'secrets-expired', teeAttributes(ended));
    // Clients that follow the output need not wait for the machine.
    rt.outputs.of(live.id).endRun(live.run);
  }
  const box = rt.store.get(live.id);
  if (box === undefined || !isLive(box.state.status)) return;
  if (box.state.status === 'stopping') await endMachine(rt, live, box);
  await live.machine.exited;
  await finishRun(rt, box, live.machineExit?.detail ?? '');
  await live.machine.release();
}

/** The agent syncs the disk of changes, unless that goes away anyhow. */
async function endMachine(rt: Runtime, live: LiveBox, box: Box): Promise<void> {
  const { autoRemove, binds } = box.definition;
  // The guest of a confidential box wipes its secrets.
  const keepsSecrets = box.definition.confidential !== undefined;
  const nothingToSync = autoRemove && !keepsSecrets && binds.every(({ readonly }) => readonly);
  const timer = new AbortController();
  try {
    if (nothingToSync) return;
    const deadline = delay(POWEROFF_MS, undefined, { signal: timer.signal, ref: false });
    const orderly = (async () => {
      await (await live.guest()).poweroff();
      await live.machine.exited;
    })();
    await Promise.race([orderly, deadline, live.machine.exited]);
  } catch (error) {
    if (live.machineExit === undefined) {
      rt.log.error('a guest did not power off by itself', error, { box: live.id });
    }
  } finally {
    timer.abort();
    if (live.machineExit === undefined) await live.machine.kill();
  }
}
