/**
 * Kills the server repeatedly while others work with it.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Actor } from '../actor.ts';

const SECONDS = [1, 2, 3, 4];

export class Killer {
  readonly #actor: Actor;
  readonly #stopped = new AbortController();
  readonly #done: Promise<void>;
  #kills = 0;
  #successes = 0;

  constructor(actor: Actor) {
    this.#actor = actor;
    this.#done = this.#work();
  }

  /** A command has done its work: however slow this machine is, there is some between two kills. */
  succeeded(): void {
    this.#successes += 1;
  }

  /** @returns how often it has killed */
  async stop(): Promise<number> {
    this.#stopped.abort();
    await this.#done;
    return this.#kills;
  }

  async #work(): Promise<void> {
    const { signal } = this.#stopped;
    let seen = 0;
    for (let turn = 0; !signal.aborted; turn += 1) {
      const seconds = SECONDS[turn % SECONDS.length] ?? 1;
      await delay(seconds * 1000, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || this.#successes === seen) continue;
      const pid = this.#actor.serverPid();
      if (pid === undefined) continue;
      seen = this.#successes;
      try {
        process.kill(pid, 'SIGKILL');
        this.#kills += 1;
      } catch {
        // It had lost against another server of the home, and has ended.
      }
    }
  }
}
