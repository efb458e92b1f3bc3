/**
 * What has failed lately, in the words of what failed: a bounded list in a file, for who looks into
 * it, and for the server once the program has ended.
 *
 * @module
 */
import { ftruncateSync, writeSync } from 'node:fs';
import { Recent } from '../recent.ts';

const KEPT = 64;
const MAX_LINE = 500;
const WRITE_MS = 1000;

export type Fail = (what: string, error: unknown) => void;

export class Failures {
  readonly #file: number;
  readonly #recent: Recent;
  #lines: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param file open for appending @param now in seconds */
  constructor(file: number, now: () => number) {
    this.#file = file;
    this.#recent = new Recent(KEPT, now);
  }

  add(what: string, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    const line = `${what}: ${why}`.replaceAll(/\p{C}/gu, '?').slice(0, MAX_LINE);
    if (!this.#recent.isNew(line)) return;
    this.#lines = [...this.#lines, `${new Date().toISOString()} ${line}\n`].slice(-KEPT);
    this.#timer ??= setTimeout(() => this.#write(), WRITE_MS);
  }

  #write(): void {
    this.#timer = undefined;
    try {
      ftruncateSync(this.#file, 0);
      writeSync(this.#file, this.#lines.join(''));
    } catch {
      // A full file system costs these lines, and not the box's names.
    }
  }
}
