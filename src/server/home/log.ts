/**
 * The server's own log: JSON lines in two files of bounded size. Bodies, environments and outputs
 * never enter it.
 *
 * @module
 */
import { appendFileSync, renameSync, statSync } from 'node:fs';
import type { Logger } from '../../boxes/services/services.ts';
import { A3sError } from '../../errors.ts';

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_LINE = 16 * 1024;
const MAX_CAUSES = 5;

export class FileLog implements Logger {
  readonly #path: string;
  #size: number;

  constructor(path: string) {
    this.#path = path;
    this.#size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  info(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#write({ level: 'info', message, ...fields });
  }

  error(message: string, error: unknown, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#write({ level: 'error', message, ...fields, error: describe(error) });
  }

  /**
   * Synchronous, so that the last line before an exit is written. A log that cannot be written must
   * not stop boxes.
   */
  #write(fields: Readonly<Record<string, unknown>>): void {
    const line = `${JSON.stringify({ time: new Date().toISOString(), ...fields }).slice(0, MAX_LINE)}\n`;
    try {
      if (this.#size + line.length > MAX_BYTES) {
        renameSync(this.#path, `${this.#path}.1`);
        this.#size = 0;
      }
      appendFileSync(this.#path, line, { mode: 0o600 });
      this.#size += line.length;
    } catch {
      // The disk is full: there is nowhere left to log it.
    }
  }
}

function describe(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error);
  const code = error instanceof A3sError ? error.code : (error as NodeJS.ErrnoException).code;
  // A stack has the place of an unexpected error.
  const where = error instanceof A3sError ? undefined : error.stack?.split('\n').slice(1, 6);
  const cause =
    error.cause === undefined || depth === MAX_CAUSES
      ? undefined
      : describe(error.cause, depth + 1);
  return { name: error.name, code, message: error.message, where, cause };
}
