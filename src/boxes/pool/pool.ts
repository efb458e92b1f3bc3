/**
 * One pool: the microVMs that are ready, and the results of its last fills.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { PoolDefinition } from './definition.ts';
import type { PooledVm } from './vm-pools.ts';

const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 600_000;

export class Pool {
  definition: PoolDefinition;
  /** Oldest first. */
  readonly ready: PooledVm[] = [];
  /** A microVM is being started for it. */
  filling = false;
  /** The pool does not exist any more. */
  removed = false;
  /** Why the last fill failed; undefined when it did not. */
  failure: A3sError | undefined;
  #failures = 0;
  #pausedUntil = 0;
  readonly #watchers = new Set<() => void>();

  constructor(definition: PoolDefinition) {
    this.definition = definition;
  }

  /** How many microVMs are missing. */
  get missing(): number {
    return this.removed ? 0 : Math.max(0, this.definition.size - this.ready.length);
  }

  /** Milliseconds until the next fill may be tried. @param now by the monotonic clock */
  pause(now: number): number {
    return Math.max(0, this.#pausedUntil - now);
  }

  filled(pooled: PooledVm): void {
    this.ready.push(pooled);
    this.tryAtOnce();
  }

  failed(error: A3sError, now: number): void {
    this.failure = error;
    const wait = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures += 1;
    this.#pausedUntil = now + wait;
    this.changed();
  }

  /** Forgets earlier failures, so that a fill is tried at once. */
  tryAtOnce(): void {
    this.failure = undefined;
    this.#failures = 0;
    this.#pausedUntil = 0;
    this.changed();
  }

  /** Takes the microVM out of the pool; false when it is no longer there. */
  takeOut(pooled: PooledVm): boolean {
    const index = this.ready.indexOf(pooled);
    if (index < 0) return false;
    this.ready.splice(index, 1);
    this.changed();
    return true;
  }

  changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /**
   * Waits until the pool is full.
   *
   * @throws A3sError why it does not fill; `no-such-pool` when it is removed meanwhile; the
   * signal's reason
   */
  full(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (finish: () => void): void => {
        this.#watchers.delete(look);
        signal.removeEventListener('abort', look);
        finish();
      };
      const look = (): void => {
        const refusal: unknown = signal.aborted ? signal.reason : this.#obstacle();
        if (refusal !== undefined) end(() => reject(refusal));
        else if (this.missing === 0) end(resolve);
      };
      this.#watchers.add(look);
      signal.addEventListener('abort', look);
      look();
    });
  }

  /** Why it cannot fill now. */
  #obstacle(): A3sError | undefined {
    const { name } = this.definition;
    return this.removed ? new A3sError('no-such-pool', `Pool ${name} was removed`) : this.failure;
  }
}
