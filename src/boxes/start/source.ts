/**
 * Where a start gets its machine: one interface for a boot, a template, a pool, a snapshot and a measured launch.
 *
 * @module
 */
import type { Machine } from '../../engine/engine.ts';
import type { Guest } from '../../guest/guest.ts';
import type { RunningBox, RunningBoxOptions } from '../run/running-box.ts';

/** One way in which a box gets its machine. Serves one start. */
export interface StartSource {
  /**
   * Launches a machine, or takes one that waits. The machine is on record before anything of the box runs in it.
   *
   * @param openOutput opens the log of the box's output and returns where the output goes on; the start waits for it before
   *   a failure is handled
   * @returns undefined where the source has no machine for this box
   */
  acquire(openOutput: () => Promise<number>): Promise<Acquired | undefined>;
  /**
   * Clears up after a launch that failed. The machine is gone by then, unless this server has let go of it.
   *
   * @returns whether the next source is tried, or the start fails with the error
   */
  onFailure(error: unknown): Promise<'next' | 'fail'>;
  /** A later source has launched the box that this one had no machine for, or failed to launch. */
  onNextLaunched?(): Promise<void>;
  /** And its main process runs. */
  onNextStarted?(): void;
}

/** A machine that is the box's, and how its guest is reached. */
export interface Acquired extends Omit<RunningBoxOptions, 'connectMs'> {
  readonly machine: Machine;
  /** Gives the guest all that it needs to start the main process; `running` where the guest's memory has one that runs. */
  readonly handOver: (running: RunningBox) => Promise<PreparedMain | 'running'>;
}

/** A main process that only has to be started. */
export interface PreparedMain {
  readonly guest: Guest;
  /** Where its output goes on. */
  readonly offset: number;
  /** Settles when the box's writable layer outlasts a power cut, as a record that says it runs does. */
  readonly durable: Promise<void>;
}
