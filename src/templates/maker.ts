/**
 * Makes templates in the background: one at a time, behind the starts of boxes, and not again and again what fails.
 *
 * @module
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { MachineShape } from '../engine/engine.ts';
import { Backoff } from './backoff.ts';
import { BuildQueue, type Job } from './build-queue.ts';
import type { Inputs } from './key.ts';
import { inventMachineId, makeTemplate, NotCopyable } from './make-template.ts';
import type { TemplateStoreOptions } from './options.ts';
import type { TemplateRecord } from './record.ts';
import type { Clock } from './template-directory.ts';

/** Starts of boxes come first, but not for ever. */
const QUIET_MS = 30_000;

/** What is made: of which shape, and under which key. */
export interface Wanted {
  readonly key: string;
  readonly inputs: Inputs;
  readonly shape: MachineShape;
}

export interface MakerOptions extends TemplateStoreOptions {
  readonly clock: Clock;
  /** Aborts when the server ends. */
  readonly signal: AbortSignal;
  /** A directory for one whose machine has this id: not there yet. */
  workDirectory(machineId: string): string;
  /** Takes over what was made. */
  keep(directory: string, record: TemplateRecord, milliseconds: string): Promise<void>;
}

export class Maker {
  readonly #options: MakerOptions;
  readonly #queue = new BuildQueue<void>();
  readonly #backoff: Backoff;
  /** Keys of boot sets whose agent cannot be copied. */
  readonly #notCopyable = new Map<string, NotCopyable>();

  constructor(options: MakerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(() => options.clock.steady());
  }

  list(): readonly Job<void>[] {
    return this.#queue.list();
  }

  /** A machine did not start from it. Once may be chance; what fails again and again is not worth a boot each time. */
  distrust(key: string): void {
    this.#backoff.failed(key, true);
  }

  /** Why there never will be one. */
  refusal(key: string): NotCopyable | undefined {
    return this.#notCopyable.get(key);
  }

  /** Settles when nothing is made and nothing waits. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** Makes what is missing, unless it was tried in vain just now. */
  async ensure(wanted: Wanted): Promise<void> {
    if (this.#notCopyable.has(wanted.key) || !this.#backoff.allows(wanted.key)) return;
    // How it ends is told by events.
    await this.begin(wanted).done.catch(() => undefined);
  }

  /** @param onTurn called when it is no longer waiting for others; not where it was begun before */
  begin(wanted: Wanted, onTurn: () => void = () => undefined): Job<void> {
    const about = { cpus: wanted.shape.cpus, since: this.#options.clock.wall() };
    const job = this.#queue.begin(wanted.key, about, async () => {
      onTurn();
      await this.#make(wanted);
    });
    job.done.catch(() => undefined);
    return job;
  }

  async #make({ key, inputs, shape }: Wanted): Promise<void> {
    const { signal } = this.#options;
    const { engine, bootMs, runtimeDir, log, tell } = this.#options;
    const begun = this.#options.clock.steady();
    const id = inventMachineId();
    const directory = this.#options.workDirectory(id);
    try {
      await this.#whenQuiet();
      signal.throwIfAborted();
      await mkdir(directory, { mode: 0o700 });
      const begunAt = this.#options.clock.wall();
      const making = { engine, key, inputs, shape, directory, id, bootMs, begunAt };
      const machine = { ...making, runtimeDir: machineDirectory(runtimeDir, id) };
      const record = await makeTemplate(machine, signal);
      const milliseconds = String(Math.round(this.#options.clock.steady() - begun));
      await this.#options.keep(directory, record, milliseconds);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      if (signal.aborted) throw error;
      if (error instanceof NotCopyable) this.#notCopyable.set(key, error);
      else this.#backoff.failed(key);
      const reason = error instanceof Error ? error.message : String(error);
      tell('fail', key, { cpus: String(shape.cpus), reason: reason.slice(0, 512) });
      log.error('a template could not be made', error, { template: key });
      throw error;
    }
  }

  async #whenQuiet(): Promise<void> {
    const timeout = new AbortController();
    const signal = AbortSignal.any([timeout.signal, this.#options.signal]);
    const enough = delay(QUIET_MS, undefined, { signal }).catch(() => undefined);
    await Promise.race([this.#options.quiet(), enough]);
    timeout.abort();
  }
}

/** Where a machine that is made to be copied has its sockets. */
export function machineDirectory(runtimeDir: string, id: string): string {
  return join(runtimeDir, id.slice(0, 12));
}
