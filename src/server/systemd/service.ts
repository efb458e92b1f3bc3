/**
 * The notifications of this server as a service: ready, alive, stopping.
 *
 * @module
 */
import type { ServiceManager } from './environment.ts';
import { notify } from './notify.ts';

export class Service {
  readonly #socket: string | undefined;
  readonly #watchdogMs: number | undefined;
  #stopping = false;

  constructor({ notifySocket, watchdogMs }: ServiceManager) {
    this.#socket = notifySocket;
    this.#watchdogMs = watchdogMs;
  }

  /**
   * From here on the loop that answers requests sends the watchdog notification, twice in each
   * period of the watchdog.
   */
  async ready(boxes: number): Promise<void> {
    await this.#tell('READY=1', `STATUS=Serving ${boxes} ${boxes === 1 ? 'box' : 'boxes'}`);
    if (this.#watchdogMs === undefined) return;
    setInterval(() => void this.#tell('WATCHDOG=1'), this.#watchdogMs / 2).unref();
  }

  /**
   * Sends it once. The watchdog notifications continue: the end takes as long as the boxes' output
   * takes to be stored, or, when the host shuts down, as the boxes take.
   */
  async stopping(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await this.#tell('STOPPING=1', 'STATUS=Stopping');
  }

  async failed(message: string): Promise<void> {
    await this.#tell(`STATUS=${message.replaceAll(/\s/g, ' ').slice(0, 1024)}`);
  }

  async #tell(...lines: string[]): Promise<void> {
    if (this.#socket !== undefined) await notify(this.#socket, lines);
  }
}
