/**
 * Telling whoever started this server that it serves, or why it does not.
 *
 * @module
 */
import { closeSync, writeSync } from 'node:fs';
import type { Runtime } from '../../boxes/runtime.ts';
import { A3sError } from '../../errors.ts';
import { failureOf } from '../http/failure.ts';

/** One way of telling. */
export interface Announcer {
  /** Descriptors of sockets that were opened for this server. */
  readonly listening: readonly number[];
  ready(socket: string, rt: Pick<Runtime, 'store' | 'shutdown'>): void;
  /** Whether what ends this server ends its boxes as well. */
  hostStops(): Promise<boolean>;
  /** @returns the exit status */
  failed(error: unknown): Promise<number>;
}

const FAILED = 1;

/** To the command that started it on its way to something else: one line on a descriptor that it was given. */
export class Readiness implements Announcer {
  readonly listening = [];
  #descriptor: number | undefined;

  /** @param descriptor undefined where nobody waits */
  constructor(descriptor: number | undefined) {
    this.#descriptor = descriptor;
  }

  ready(): void {
    this.#tell('ready');
  }

  /** Nobody ends its boxes with it. */
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
      // Whoever started this server has gone; that is no reason not to serve.
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
