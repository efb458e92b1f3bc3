/**
 * Follows a running box: its output goes to the log, its exit to the record.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Guest } from '../../guest/guest.ts';
import type { OutputReader } from '../../guest/output.ts';
import { type Exit, MAIN } from '../../guest/protocol.ts';
import { guestText } from '../../guest/refusal.ts';
import { relayBroker } from '../confidential/relay-broker.ts';
import { publishLack, secretsAfter, watchSecrets } from '../confidential/watch-secrets.ts';
import { watchHealth } from '../health/watch-health.ts';
import { copyOutput, type Progress } from '../output/copy-output.ts';
import { keepsOutput } from '../output/keeps-output.ts';
import type { Box } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { hostSeesOutput } from '../record/host-may.ts';
import { mayHaveVm } from '../record/states.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';
import type { Services } from '../services/services.ts';
import { watchBinds } from '../watch/watch-binds.ts';
import { type EndHost, finishRun } from './finish-run.ts';
import { retryRecord } from './retry-record.ts';

/** Time for a guest to sync its disks and power off. */
const POWEROFF_MS = 15_000;
/** Pause after an attempt to reach the guest that failed as a whole. */
const RETRY_MS = 500;
/** Time for output to reach the disk once its microVM is gone. */
const REST_MS = 5000;

/** What was requested of a guest together with the start of its main process. */
export interface Followed {
  readonly guest: Guest;
  readonly progress: Progress;
  /** Undefined where the host may not see the output. */
  readonly output: Promise<OutputReader> | undefined;
  readonly exit: Promise<Exit>;
}

/**
 * Follows the box to its end, in the background; `running.finished` settles then.
 *
 * @param followed what is followed already; its log is open then
 */
export function supervise(rt: EndHost, running: RunningBox, followed?: Followed): void {
  running.watched = true;
  void watchSecrets(rt, running);
  void relayBroker(rt, running);
  void watchHealth(rt, running);
  void watchBinds(rt, running);
  void (async () => {
    try {
      const exit = await followMain(rt, running, followed);
      await Promise.race([concludeSurely(rt, running, exit), running.left]);
    } catch (error) {
      if (!running.released) rt.log.error('a box was lost sight of', error, { box: running.id });
    } finally {
      rt.running.delete(running);
      running.finish();
    }
  })();
}

/** Tries until the end is recorded, so that no exit code is lost. */
async function concludeSurely(
  rt: EndHost,
  running: RunningBox,
  exit: Exit | undefined,
): Promise<void> {
  const failure = 'the end of a box could not be recorded';
  const isRetried = (): boolean => !running.released;
  const options = { fields: { box: running.id }, failure, isRetried };
  await retryRecord(rt, options, () => conclude(rt, running, exit));
}

/**
 * The exit of the main process. All its output is safe by then, unless the microVM is gone.
 * Undefined when the microVM ended first.
 */
async function followMain(
  rt: EndHost,
  running: RunningBox,
  followed: Followed | undefined,
): Promise<Exit | undefined> {
  const box = rt.store.expect(running.id);
  const { state, definition } = box;
  if (state.status === 'stopping') return undefined;
  const seesOutput = hostSeesOutput(box);
  const log = rt.outputs.of(running.id);
  let progress = followed?.progress;
  let first = followed;
  let reported: Exit | undefined;
  for (;;) {
    try {
      if (progress === undefined || log.broken) {
        // The output of a fork begins behind what the process of its snapshot had written.
        const logged = seesOutput ? await log.open(running.run, !definition.autoRemove) : 0;
        const gone = keepsOutput(box) ? (state.machine?.written ?? 0) : await passed(running);
        progress = { offset: Math.max(logged, gone) };
      }
      const { output, exit } = first ?? (await follow(running, progress, seesOutput));
      first = undefined;
      // An agent of protocol 4 reports the exit at once, so it is known even when the output is
      // lost.
      exit.then(
        (known) => {
          reported = known;
        },
        () => undefined,
      );
      if (output !== undefined) await copyOutput(log, running.run, await output, progress);
      return await exit;
    } catch (error) {
      first = undefined;
      if (running.released) throw error;
      if (running.vmExit !== undefined) {
        await saveRest(rt, running.id);
        return reported;
      }
      rt.log.error('the connection to a box was lost', error, { box: running.id });
      await delay(RETRY_MS, undefined, { signal: running.signal }).catch(() => undefined);
    }
  }
}

/** How far an earlier server has read output that is not kept. */
async function passed(running: RunningBox): Promise<number> {
  return (await (await running.guest()).process(MAIN, running.signal)).acknowledged;
}

/**
 * Requests output and exit together, so that the answer about the exit is already under way when
 * the output ends.
 */
async function follow(
  running: RunningBox,
  { offset }: Progress,
  seesOutput: boolean,
): Promise<Pick<Followed, 'output' | 'exit'>> {
  const guest = await running.guest();
  const output = seesOutput ? guest.output(MAIN, offset, running.signal) : undefined;
  const exit = mainExit(guest, running.signal);
  exit.catch(() => undefined);
  return { output, exit };
}

/** The exit, as soon as the agent can report it. */
export function mainExit(guest: Guest, signal: AbortSignal): Promise<Exit> {
  return guest.speaks(4) ? guest.ended(MAIN, signal) : guest.exit(MAIN, signal);
}

/**
 * Saves the output that had arrived when the microVM ended. On a full disk the output is given up,
 * since no guest is left that could be held back.
 */
async function saveRest(rt: Pick<RunServices, 'log' | 'outputs'>, id: string): Promise<void> {
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

/** Ends a run, in an order that another server can continue after a crash at any point. */
async function conclude(rt: EndHost, running: RunningBox, exit: Exit | undefined): Promise<void> {
  const { state } = rt.store.expect(running.id);
  if (exit !== undefined && (state.status === 'running' || state.status === 'paused')) {
    const ended = rt.store.advance(running.id, 'ended', {
      ...secretsAfter(exit, state),
      exitCode: exit.exitCode,
      oomKilled: exit.oomKilled,
      ...(exit.error ? { error: guestText(exit.error.message) } : {}),
      finishedAt: timestamp(now()),
    });
    publishLack(rt, ended, state, exit);
    // Clients that follow the output need not wait for the end of the microVM.
    rt.outputs.of(running.id).endRun(running.run);
  }
  const box = rt.store.get(running.id);
  if (box === undefined || !mayHaveVm(box.state.status)) return;
  if (box.state.status === 'stopping') await endVm(rt, running, box);
  await running.vm.exited;
  await finishRun(rt, box, running.vmExit?.detail ?? '');
  await running.vm.release();
}

/**
 * Ends the microVM. The agent first syncs what is kept: nothing of a box that is removed with its
 * own volumes.
 */
async function endVm(
  rt: Pick<Services, 'log' | 'volumes'>,
  running: RunningBox,
  box: Box,
): Promise<void> {
  const { autoRemove, binds, volumeMounts } = box.definition;
  const kept = volumeMounts.filter(
    ({ name, anonymous }) => !anonymous || rt.volumes.usersOf(name).length > 1,
  );
  // The guest of a confidential box wipes its secrets.
  const keepsSecrets = box.definition.confidential !== undefined;
  const nothingToSync =
    autoRemove && !keepsSecrets && [...binds, ...kept].every(({ readonly }) => readonly);
  const timer = new AbortController();
  try {
    if (nothingToSync) return;
    const deadline = delay(POWEROFF_MS, undefined, { signal: timer.signal, ref: false });
    const orderly = (async () => {
      await (await running.guest()).poweroff();
      await running.vm.exited;
    })();
    await Promise.race([orderly, deadline, running.vm.exited]);
  } catch (error) {
    if (running.vmExit === undefined) {
      rt.log.error('a guest did not power off by itself', error, { box: running.id });
    }
  } finally {
    timer.abort();
    if (running.vmExit === undefined) await running.vm.kill();
  }
}
