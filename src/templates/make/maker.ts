/**
 * Makes templates in the background: one at a time, after the starts of boxes, and with a backoff
 * after failures.
 *
 * @module
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { VmShape } from '../../engine/vm/template.ts';
import type { Inputs } from '../key.ts';
import type { TemplateStoreOptions } from '../options.ts';
import type { TemplateRecord } from '../record.ts';
import type { Clock } from '../template-directory.ts';
import { Backoff } from './backoff.ts';
import { BuildQueue, type Job } from './build-queue.ts';
import { WrongClock } from './clock-rate.ts';
import { makeTemplate, NotCopyable, newVmId } from './make-template.ts';

/** How often it is made where the guest's clock is wrong: the next boot measures it again. */
const ATTEMPTS = 3;
/** Starts of boxes come first, up to this time. */
const QUIET_MS = 30_000;

/** The shape and the key of the template that is made. */
export interface Wanted {
  readonly key: string;
  readonly inputs: Inputs;
  readonly shape: VmShape;
}

export interface MakerOptions extends TemplateStoreOptions {
  readonly clock: Clock;
  /** Aborts when the server ends. */
  readonly signal: AbortSignal;
  /** A directory for the template whose VM has this id. It does not exist yet. */
  workDirectory(machineId: string): string;
  /** Takes over the finished template. */
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

  /**
   * Records that a VM did not start from the template. Once may be chance. A template that fails
   * repeatedly is not worth a boot each time.
   */
  distrust(key: string): void {
    this.#backoff.failed(key, true);
  }

  /** The reason for which this host never makes one. */
  refusal(key: string): NotCopyable | undefined {
    return this.#notCopyable.get(key);
  }

  /** Resolves when nothing is made and nothing waits. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** Makes a missing template, unless an attempt failed just now. */
  async ensure(wanted: Wanted): Promise<void> {
    if (this.#notCopyable.has(wanted.key) || !this.#backoff.allows(wanted.key)) return;
    // Events report the outcome.
    await this.begin(wanted).done.catch(() => undefined);
  }

  /**
   * @param onStart called when it no longer waits for others; not called where the job already
   * exists
   */
  begin(wanted: Wanted, onStart: () => void = () => undefined): Job<void> {
    const about = { cpus: wanted.shape.cpus, since: this.#options.clock.wall() };
    const job = this.#queue.begin(wanted.key, about, async () => {
      onStart();
      await this.#make(wanted);
    });
    job.done.catch(() => undefined);
    return job;
  }

  async #make(wanted: Wanted): Promise<void> {
    const { key, shape } = wanted;
    const { signal, log, tell } = this.#options;
    const startedAt = this.#options.clock.steady();
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#attempt(wanted, startedAt);
        return;
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof WrongClock && attempt < ATTEMPTS) {
          log.error('a template is made again', error, { template: key });
          continue;
        }
        if (error instanceof NotCopyable) this.#notCopyable.set(key, error);
        else this.#backoff.failed(key);
        const reason = error instanceof Error ? error.message : String(error);
        tell('fail', key, { cpus: String(shape.cpus), reason: reason.slice(0, 512) });
        log.error('a template could not be made', error, { template: key });
        throw error;
      }
    }
  }

  /** Leaves nothing where it fails. */
  async #attempt({ key, inputs, shape }: Wanted, startedAt: number): Promise<void> {
    const { signal, engine, bootMs, runtimeDir } = this.#options;
    const id = newVmId();
    const directory = this.#options.workDirectory(id);
    try {
      await this.#whenQuiet();
      signal.throwIfAborted();
      await mkdir(directory, { mode: 0o700 });
      const seededAt = this.#options.clock.wall();
      const making = { engine, key, inputs, shape, directory, id, bootMs, seededAt };
      const request = { ...making, runtimeDir: vmDirectory(runtimeDir, id) };
      const record = await makeTemplate(request, signal);
      const milliseconds = String(Math.round(this.#options.clock.steady() - startedAt));
      await this.#options.keep(directory, record, milliseconds);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
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

/** The directory of sockets of a VM that becomes a template. */
export function vmDirectory(runtimeDir: string, id: string): string {
  return join(runtimeDir, id.slice(0, 12));
}
