/**
 * A server that a person or a service manager started directly. It reports its own state.
 *
 * @module
 */
import type { Runtime } from '../../boxes/runtime.ts';
import { A3sError } from '../../errors.ts';
import { failureOf } from '../http/failure.ts';
import { takeServiceManager } from '../systemd/environment.ts';
import { managerStops } from '../systemd/host-stops.ts';
import { Service } from '../systemd/service.ts';
import type { Announcer } from './readiness.ts';

/** The exit status of the command line when it could not do what was asked. */
const FAILED = 125;

export class Foreground implements Announcer {
  readonly listening: readonly number[];
  readonly #managed: boolean;
  readonly #service: Service;
  readonly #stderr: { write(text: string): unknown };

  /** @param env the service manager's variables are removed from it */
  constructor(env: NodeJS.ProcessEnv, pid: number, stderr: { write(text: string): unknown }) {
    const manager = takeServiceManager(env, pid);
    this.listening = manager.listening;
    this.#managed = manager.notifySocket !== undefined;
    this.#service = new Service(manager);
    this.#stderr = stderr;
  }

  ready(socket: string, { store, shutdown }: Pick<Runtime, 'store' | 'shutdown'>): void {
    this.#stderr.write(`a3s-box: serving on ${socket}\n`);
    void this.#service.ready(store.list().length);
    shutdown.addEventListener('abort', () => void this.#service.stopping(), { once: true });
  }

  /**
   * Asks the service manager that started it, and notifies it that the server is stopping. A person
   * ends the server alone.
   */
  async hostStops(): Promise<boolean> {
    void this.#service.stopping();
    return this.#managed && (await managerStops(process.env));
  }

  /** In the format of the command line: one line with its code, then the remedy. */
  async failed(error: unknown): Promise<number> {
    const { message, code, remedy } = failureOf(error).body;
    const [first = '', ...more] = message.trimEnd().split('\n');
    const lines = [`a3s-box: ${first} (${code})`, ...more];
    if (remedy !== undefined) lines.push(remedy);
    if (!(error instanceof A3sError) && error instanceof Error) lines.push(String(error.stack));
    this.#stderr.write(`${lines.join('\n')}\n`);
    await this.#service.failed(first);
    return FAILED;
  }
}
