/**
 * The output log of every box, one object each, so that readers hear of what is appended.
 *
 * @module
 */
import { join } from 'node:path';
import { type BoxOutput, LiveOutput } from './live-output.ts';
import { OutputLog } from './log.ts';

export class Outputs {
  readonly #logs = new Map<string, BoxOutput>();
  readonly #directory: (id: string) => string;
  readonly #onFailure: (id: string, error: unknown) => void;

  readonly #onDamage: (id: string, keptAs: string) => void;
  readonly #isKept: (id: string) => boolean;

  /** @param isKept whether the host may keep a box's output: otherwise nothing of it reaches a disk */
  constructor(
    directory: (id: string) => string,
    onFailure: (id: string, error: unknown) => void,
    onDamage: (id: string, keptAs: string) => void,
    isKept: (id: string) => boolean,
  ) {
    this.#directory = directory;
    this.#onFailure = onFailure;
    this.#onDamage = onDamage;
    this.#isKept = isKept;
  }

  of(id: string): BoxOutput {
    let log = this.#logs.get(id);
    if (log === undefined && !this.#isKept(id)) {
      log = new LiveOutput();
      this.#logs.set(id, log);
    } else if (log === undefined) {
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
