/**
 * The output log of every box, one object each, so that readers hear of what is appended.
 *
 * @module
 */
import { join } from 'node:path';
import { OutputLog } from './log.ts';

export class Outputs {
  readonly #logs = new Map<string, OutputLog>();
  readonly #directory: (id: string) => string;
  readonly #onFailure: (id: string, error: unknown) => void;

  readonly #onDamage: (id: string, keptAs: string) => void;

  constructor(
    directory: (id: string) => string,
    onFailure: (id: string, error: unknown) => void,
    onDamage: (id: string, keptAs: string) => void,
  ) {
    this.#directory = directory;
    this.#onFailure = onFailure;
    this.#onDamage = onDamage;
  }

  of(id: string): OutputLog {
    let log = this.#logs.get(id);
    if (log === undefined) {
      const path = join(this.#directory(id), 'output.log');
      log = new OutputLog(
        path,
        (error) => this.#onFailure(id, error),
        (keptAs) => this.#onDamage(id, keptAs),
      );
      this.#logs.set(id, log);
    }
    return log;
  }

  /** Stops writing all of them. What was not flushed may be lost; the guests still hold it. */
  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()));
  }

  /** The box is gone: its readers end. */
  forget(id: string): void {
    this.#logs.get(id)?.endRun(Number.MAX_SAFE_INTEGER);
    this.#logs.delete(id);
  }
}
