/**
 * Schedules the starts by restart policies: each box waits for its time, and few start at once.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Semaphore } from '../../async/semaphore.ts';
import type { Box } from '../record/box.ts';

/**
 * How a box is started by its policy, where it still waits for just that since this run. They never
 * reject.
 */
export interface PolicyStarts {
  readonly restart: (id: string, run: number) => Promise<void>;
  /** Asks `takes`. */
  readonly afterReboot: (id: string, run: number) => Promise<void>;
}

export class Restarts {
  readonly #shutdown: AbortSignal;
  readonly #slots: Semaphore;
  /** Boxes that wait to be started because the host was rebooted. */
  readonly #afterReboot = new Set<string>();
  /** How many users restart a box now. */
  readonly #asked = new Map<string, number>();
  #starts: PolicyStarts = { restart: async () => undefined, afterReboot: async () => undefined };
  #held = false;

  /**
   * @param most how many starts may be under way at once: after a reboot all boxes want to start
   */
  constructor(shutdown: AbortSignal, most: number) {
    this.#shutdown = shutdown;
    this.#slots = new Semaphore(most);
  }

  /** To be called before any box waits. */
  begin(starts: PolicyStarts): void {
    this.#starts = starts;
  }

  /**
   * Starts a `restarting` box in the background when its time has come, if it still waits for that.
   */
  wait({ definition: { id }, state }: Box): void {
    const { run, restartAt, restartDelayMs = 0 } = state;
    // The host's clock may have been set meanwhile. The wait is never longer than the policy said.
    const left = restartAt === undefined ? 0 : Date.parse(restartAt) - Date.now();
    const pause = Math.min(Math.max(left, 0), restartDelayMs);
    delay(pause, undefined, { signal: this.#shutdown, ref: false }).then(
      () => this.#inSlot(() => this.#starts.restart(id, run)),
      () => undefined,
    );
  }

  /** Starts no box any more. The next server starts those that wait. */
  hold(): void {
    this.#held = true;
  }

  /** Whether the host goes down: then no box starts any more, by a policy or a user. */
  get held(): boolean {
    return this.#held;
  }

  /** Starts a box that has not run since this run, as soon as few enough starts are under way. */
  startAfterReboot(id: string, run: number): void {
    this.#afterReboot.add(id);
    void this.#inSlot(() => this.#starts.afterReboot(id, run));
  }

  /** Whether the box must still be started. A second call returns false. */
  takes(id: string): boolean {
    return this.#afterReboot.delete(id);
  }

  /** The box must not be started: a user wants it to rest. */
  drop(id: string): void {
    this.#afterReboot.delete(id);
  }

  /** Restarts a running box for a user. */
  async asked(id: string, restart: () => Promise<void>): Promise<void> {
    this.#asked.set(id, (this.#asked.get(id) ?? 0) + 1);
    try {
      await restart();
    } finally {
      const left = (this.#asked.get(id) ?? 1) - 1;
      if (left > 0) this.#asked.set(id, left);
      else this.#asked.delete(id);
    }
  }

  /** Whether a user restarts the box now, which ran before. */
  isAsked(id: string): boolean {
    return this.#asked.has(id);
  }

  /** Does the work as one of few at a time. Does not do it where the server ends first. */
  async #inSlot(start: () => Promise<void>): Promise<void> {
    await this.#slots.run(async () => {
      if (!this.#shutdown.aborted && !this.#held) await start();
    });
  }
}
