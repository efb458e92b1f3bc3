/**
 * A helper program of a VM while this process is its parent.
 *
 * This process reads the program's standard error from a pipe and keeps a short tail. After the
 * server exits the pipe has no reader, and the program's output is dropped: no file can grow.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError } from '../../errors.ts';
import type { JailProgram } from '../../jail/jail.ts';
import { spawnInJail } from '../../jail/spawn.ts';

const TAIL_BYTES = 4096;
/** The time from a broken connection to the end of the process that broke it. */
const LAST_WORDS_MS = 1000;

export class Helper {
  readonly name: string;
  /** Aborted, with the reason as an `A3sError`, when the program ends. */
  readonly ended: AbortSignal;
  readonly #child: ChildProcess;
  #tail = '';

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    const controller = new AbortController();
    this.ended = controller.signal;
    child.stderr?.setEncoding('latin1').on('data', (text: string) => {
      this.#tail = (this.#tail + text).slice(-TAIL_BYTES);
    });
    // Not `exit`: the last output arrives before `close`.
    child.once('close', (code, signal) => {
      controller.abort(new A3sError('vmm-failed', `${name} ended: ${this.#words(code, signal)}`));
    });
    // The VM outlives this process, so the VM must not keep this process alive.
    child.unref();
    if (child.stderr instanceof Socket) child.stderr.unref();
  }

  static async start(
    name: string,
    program: Omit<JailProgram, 'stdio' | 'outlives'>,
    fds: readonly number[] = [],
  ): Promise<Helper> {
    const stdio = ['ignore', 'ignore', 'pipe', ...fds] as const;
    return new Helper(name, await spawnInJail({ ...program, stdio, outlives: true }));
  }

  /** Process id of the process that was started: the program itself, or the keeper of its jail. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The last lines that it wrote to standard error, for people. */
  get lastLines(): readonly string[] {
    return this.#tail.trim().split('\n').map(printable);
  }

  get lastLine(): string {
    return this.lastLines.at(-1) ?? '';
  }

  /**
   * The reason of its end. Undefined when the program keeps running for longer than its last output
   * could take.
   */
  async lastWords(): Promise<A3sError | undefined> {
    if (!this.ended.aborted) {
      await delay(LAST_WORDS_MS, undefined, { signal: this.ended }).catch(() => undefined);
    }
    return this.ended.reason instanceof A3sError ? this.ended.reason : undefined;
  }

  /** Stops listening to it. */
  release(): void {
    this.#child.stderr?.destroy();
  }

  #words(code: number | null, signal: NodeJS.Signals | null): string {
    if (this.lastLine !== '') return this.lastLine;
    // The jail's keeper reports a signal as a shell does.
    const name =
      signal ?? Object.entries(constants.signals).find(([, n]) => n === (code ?? 0) - 128)?.[0];
    return name === undefined ? `exit status ${code ?? 0}` : `signal ${name}`;
  }
}

/** Text that a guest can influence is never printed to a terminal unescaped. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 400);
}
