/**
 * The host's end of the control stream.
 *
 * When a host disconnects, the agent closes its end and opens it again. Bytes that the next host
 * sends in between are lost in the guest without an error. So a connection that follows another
 * waits until the guest has closed and reopened its end. The monitor limits the event for that to
 * one a second, which is too slow, so the state is polled instead.
 *
 * @module
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { retry } from '../../../async/retry.ts';
import { A3sError } from '../../../errors.ts';
import { openSocket } from '../../socket.ts';
import { CONTROL } from '../command-line/arguments.ts';
import type { QmpClient } from '../monitor/qmp.ts';

/** A guest takes a few milliseconds, and many on a busy host. The agent's client retries anyway. */
const REOPEN_MS = 500;

const Chardevs = z.array(z.object({ label: z.string(), 'frontend-open': z.boolean() }));

export class ControlPort {
  readonly #path: string;
  readonly #monitor: QmpClient;
  #stream: Socket | undefined;
  /** The time by which the guest has finished with the previous stream. */
  #readyAt = 0;

  constructor(path: string, monitor: QmpClient) {
    this.#path = path;
    this.#monitor = monitor;
  }

  /** Opens the stream. A stream that is open ends. */
  async connect(signal: AbortSignal): Promise<Socket> {
    await this.close();
    if (performance.now() < this.#readyAt) await this.#reopened(signal);
    const stream = await retry(() => openSocket(this.#path), signal);
    this.#stream = stream;
    stream.once('close', () => {
      this.#readyAt = performance.now() + REOPEN_MS;
    });
    return stream;
  }

  async close(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream === undefined || stream.closed) return;
    stream.destroy();
    await once(stream, 'close');
  }

  /**
   * Ends a stream that is open, and waits until the guest is ready for the next.
   *
   * @throws A3sError `vmm-failed` when it is not in time
   */
  async reset(signal: AbortSignal): Promise<void> {
    await this.close();
    if (performance.now() < this.#readyAt) await this.#reopened(signal);
    if (await this.#guestHasIt()) return;
    throw new A3sError('vmm-failed', 'The guest does not listen on its control port');
  }

  /**
   * Polls without a pause until the guest has closed its end, since the end may be closed for less
   * time than any pause.
   */
  async #reopened(signal: AbortSignal): Promise<void> {
    while (performance.now() < this.#readyAt && (await this.#guestHasIt())) signal.throwIfAborted();
    while (performance.now() < this.#readyAt && !(await this.#guestHasIt())) {
      await delay(1);
      signal.throwIfAborted();
    }
  }

  async #guestHasIt(): Promise<boolean> {
    const chardevs = await this.#monitor.execute('query-chardev', {}, Chardevs);
    return chardevs.find(({ label }) => label === CONTROL)?.['frontend-open'] === true;
  }
}
