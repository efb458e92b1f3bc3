/**
 * The program that makes networks in an ordinary user's namespaces, seen from the server, with
 * which it ends.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { A3sError } from '../../errors.ts';
import { findTool } from '../../jail/tools.ts';
import type { NetworkLog } from '../host/host-networks.ts';
import { failureOf, Message, type Request } from './messages.ts';

export interface HelperProgram {
  /** The bundle of the program. */
  readonly bundle: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Where it works. */
interface HelperPlace {
  /** The process whose namespaces it enters. */
  readonly holder: number;
  /** That process's directory. */
  readonly directory: string;
  /** Where the networks have their files. */
  readonly places: string;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Helper {
  readonly #child: ChildProcess;
  readonly #log: NetworkLog;
  readonly #waiting = new Map<number, Waiting>();
  #number = 0;
  #lastWords = '';
  #hasEnded = false;

  private constructor(child: ChildProcess, log: NetworkLog) {
    this.#child = child;
    this.#log = log;
    child.on('message', (message) => this.#read(message));
    child.stderr?.setEncoding('utf8').on('data', (words: string) => {
      this.#lastWords = `${this.#lastWords}${words}`.slice(-2000);
    });
    child.on('error', (error) => this.#end(error.message));
    child.on('close', () => this.#end(this.#lastWords.trim()));
  }

  /** Starts it. Whatever is the matter with it is said by what it is asked. */
  static async start(
    { bundle, environment }: HelperProgram,
    { holder, directory, places }: HelperPlace,
    log: NetworkLog,
  ): Promise<Helper> {
    const enter = ['--target', String(holder), '--user', '--mount', '--preserve-credentials'];
    const args = [...enter, '--', process.execPath, bundle, directory, places];
    const child = spawn(await findTool('nsenter'), args, {
      ...{ cwd: '/', env: environment, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] },
      // What interrupts the server does not interrupt it: it ends when the server has ended.
      detached: true,
    });
    const helper = new Helper(child, log);
    // Neither keeps the server running.
    child.unref();
    child.channel?.unref();
    return helper;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** @throws A3sError as the program has thrown it; `network-failed` where it ends meanwhile */
  async ask(request: Request): Promise<unknown> {
    if (this.#hasEnded) throw this.#gone();
    this.#number += 1;
    const number = this.#number;
    return await new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#child.send({ number, request }, (error) => {
        if (error !== null && this.#waiting.delete(number)) reject(this.#gone(error));
      });
    });
  }

  /** Ends it, which nobody may wait for. */
  async end(): Promise<void> {
    if (this.#hasEnded) return;
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await ended;
  }

  #read(said: unknown): void {
    const { data: message, error } = Message.safeParse(said);
    if (message === undefined) {
      this.#log.error('the program that makes networks was not understood', error);
      return;
    }
    if ('log' in message) {
      this.#log.error(message.log, failureOf(message.failure), message.fields);
      return;
    }
    const waiting = this.#waiting.get(message.number);
    this.#waiting.delete(message.number);
    if ('failure' in message) waiting?.reject(failureOf(message.failure));
    else waiting?.resolve(message.value);
  }

  #end(why: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#lastWords = why;
    for (const { reject } of this.#waiting.values()) reject(this.#gone());
    this.#waiting.clear();
  }

  #gone(cause?: unknown): A3sError {
    const why = this.#lastWords.split('\n').at(-1) ?? '';
    const said = why === '' ? '' : `: ${why}`;
    return new A3sError(
      'network-failed',
      `Cannot change networks: the program that makes them has ended${said}`,
      { remedy: 'Try it again: the program is started anew.', cause },
    );
  }
}
