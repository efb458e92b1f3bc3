/**
 * Telling whoever started this server that it serves, or why it does not: one line on a descriptor that it was given.
 *
 * @module
 */
import { closeSync, writeSync } from 'node:fs';
import { A3sError } from '../errors.ts';
import { failureOf } from './http/failure.ts';

export class Readiness {
  #descriptor: number | undefined;

  /** @param descriptor undefined where nobody waits */
  constructor(descriptor: number | undefined) {
    this.#descriptor = descriptor;
  }

  ready(): void {
    this.#tell('ready');
  }

  /** @returns whether somebody was told all that there is to know */
  failed(error: unknown): boolean {
    const waited = this.#descriptor !== undefined;
    this.#tell(JSON.stringify(failureOf(error).body));
    return waited && error instanceof A3sError;
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
