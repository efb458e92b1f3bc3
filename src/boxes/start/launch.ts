/**
 * From a source to a box whose guest waits for the start of its main process.
 *
 * @module
 */
import { settleAll } from '../../async/settle-all.ts';
import type { Box } from '../record/box.ts';
import type { RunServices } from '../run/run-services.ts';
import { RunningBox } from '../run/running-box.ts';
import { abandon } from './abandon.ts';
import { enter } from './enter.ts';
import type { PreparedMain, StartSource } from './source.ts';

/** A box with a microVM whose guest has all that it needs. */
export interface Launched {
  readonly running: RunningBox;
  /** `running`: the main process already runs, as the one of a snapshot does. */
  readonly main: PreparedMain | 'running';
}

/** What an attempt needs of the server, besides what its source does. */
export type AttemptHost = Pick<
  RunServices,
  'outputs' | 'running' | 'restarts' | 'shutdown' | 'startTimeoutMs'
>;

/**
 * Makes one attempt to launch the box. Abandons its microVM on failure, unless this server has
 * released it.
 *
 * @returns undefined where the source has no microVM for this box
 */
export async function launch(
  rt: AttemptHost,
  { definition: { id, autoRemove }, state: { run } }: Box,
  source: StartSource,
): Promise<Launched | undefined> {
  let opening: Promise<unknown> = Promise.resolve();
  let joining: Promise<void> = Promise.resolve();
  const openOutput = (): Promise<number> => {
    const opened = rt.outputs.of(id).open(run, !autoRemove);
    opening = opened.catch(() => undefined);
    return opened;
  };
  let running: RunningBox | undefined;
  try {
    const acquired = await source.acquire(openOutput);
    if (acquired === undefined) return undefined;
    const { vm, whole = joining, prepareGuest, ...options } = acquired;
    joining = whole;
    running = new RunningBox(id, run, vm, { connectMs: rt.startTimeoutMs, ...options });
    await enter(rt, running);
    const [main] = await settleAll([prepareGuest(running), joining]);
    return { running, main };
  } catch (error) {
    await opening;
    await joining.catch(() => undefined);
    if (running?.released === false) await abandon(rt, running);
    throw error;
  }
}
