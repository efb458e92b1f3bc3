/**
 * The interface of the sources of a start: a boot, a template, a pool, a snapshot and a measured
 * launch.
 *
 * @module
 */
import type { Vm } from '../../engine/vm/vm.ts';
import type { Guest } from '../../guest/guest.ts';
import type { RunningBox, RunningBoxOptions } from '../run/running-box.ts';

/** One way in which a box gets its microVM. An instance serves one start. */
export interface StartSource {
  /**
   * Launches a microVM, or takes one that waits. The microVM is on record before anything of the
   * box runs in it.
   *
   * @param openOutput opens the log of the box's output and returns the offset at which the output
   * goes on; the start waits for it before a failure is handled
   * @returns undefined where the source has no microVM for this box
   */
  acquire(openOutput: () => Promise<number>): Promise<Acquired | undefined>;
  /**
   * Cleans up after a failed launch. The microVM is gone by then, unless this server has released
   * it.
   *
   * @returns `next` to try the next source, `fail` to fail the start with the error
   */
  onFailure(error: unknown): Promise<'next' | 'fail'>;
  /** Called when a later source has launched the box that this source did not launch. */
  onNextLaunched?(): Promise<void>;
  /** Called when the main process of that launch runs. */
  onNextStarted?(): void;
}

/** A microVM that belongs to the box, and how its guest is reached. */
export interface Acquired extends Omit<RunningBoxOptions, 'connectMs'> {
  readonly vm: Vm;
  /** Settles when its network is made. Absent: it is. */
  readonly whole?: Promise<void>;
  /**
   * Gives the guest all that it needs to start the main process. `running` where the guest's memory
   * has a running one.
   */
  readonly prepareGuest: (running: RunningBox) => Promise<PreparedMain | 'running'>;
}

/** A main process that only has to be started. */
export interface PreparedMain {
  readonly guest: Guest;
  /** The offset at which its output goes on. */
  readonly offset: number;
  /**
   * Settles when the box's writable layer would outlast a power cut. The record that the box runs
   * outlasts one as well.
   */
  readonly durable: Promise<void>;
}
