/**
 * The output of every box, one object each, so that readers are notified of what is appended.
 *
 * @module
 */
import { join } from 'node:path';
import type { LogSettings } from '../record/box.ts';
import { OutputLog } from './log.ts';
import { type BoxOutput, MemoryOutput } from './memory-output.ts';
import { retentionOf } from './retention.ts';

export class Outputs {
  readonly #logs = new Map<string, BoxOutput>();
  readonly #directory: (id: string) => string;
  readonly #onFailure: (id: string, error: unknown) => void;

  readonly #onDamage: (id: string, keptAs: string) => void;
  readonly #settingsOf: (id: string) => LogSettings | undefined;

  /** @param settingsOf how a box's output is kept; undefined: none of it reaches a disk */
  constructor(
    directory: (id: string) => string,
    onFailure: (id: string, error: unknown) => void,
    onDamage: (id: string, keptAs: string) => void,
    settingsOf: (id: string) => LogSettings | undefined,
  ) {
    this.#directory = directory;
    this.#onFailure = onFailure;
    this.#onDamage = onDamage;
    this.#settingsOf = settingsOf;
  }

  of(id: string): BoxOutput {
    const known = this.#logs.get(id);
    if (known !== undefined) return known;
    const settings = this.#settingsOf(id);
    const log =
      settings === undefined
        ? new MemoryOutput()
        : new OutputLog(
            join(this.#directory(id), 'output.log'),
            (error) => this.#onFailure(id, error),
            (keptAs) => this.#onDamage(id, keptAs),
            retentionOf(settings),
          );
    this.#logs.set(id, log);
    return log;
  }

  /** Stops writing all of them. What was not flushed may be lost; the guests still hold it. */
  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()));
  }

  /** The box is about to be removed. Each reader ends when it has read what is there. */
  async forget(id: string): Promise<void> {
    const log = this.of(id);
    await log.retire();
    log.endRun(Number.MAX_SAFE_INTEGER);
    this.#logs.delete(id);
  }
}
