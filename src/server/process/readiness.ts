/**
 * Reports to the process that started this server that it serves, or why it does not.
 *
 * @module
 */
import { closeSync, writeSync } from 'node:fs';
import type { Runtime } from '../../boxes/runtime.ts';
import { A3sError } from '../../errors.ts';
import { failureOf } from '../http/failure.ts';

/** One way of reporting. */
export interface Announcer {
  /** Descriptors of sockets that were opened for this server. */
  readonly listening: readonly number[];
  ready(socket: string, rt: Pick<Runtime, 'store' | 'shutdown'>): void;
  /** Whether the event that ends this server ends its boxes as well. */
  hostStops(): Promise<boolean>;
  /** @returns the exit status */
  failed(error: unknown): Promise<number>;
}

const FAILED = 1;

/**
 * Reports to the command that started the server on demand: one line on an inherited descriptor.
 */
export class Readiness implements Announcer {
  readonly listening = [];
  #descriptor: number | undefined;

  /** @param descriptor undefined where no process waits */
  constructor(descriptor: number | undefined) {
    this.#descriptor = descriptor;
  }

  ready(): void {
    this.#tell('ready');
  }

  /** The boxes never end with this server. */
  async hostStops(): Promise<boolean> {
    return false;
  }

  async failed(error: unknown): Promise<number> {
    const waited = this.#descriptor !== undefined;
    this.#tell(JSON.stringify(failureOf(error).body));
    if (!waited || !(error instanceof A3sError)) {
      process.stderr.write(`a3s-box server: ${describe(error)}\n`);
    }
    return FAILED;
  }

  #tell(line: string): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    this.#descriptor = undefined;
    try {
      writeSync(descriptor, `${line}\n`);
      closeSync(descriptor);
    } catch {
      // The process that started this server is gone; the server serves anyway.
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
