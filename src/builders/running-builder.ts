/**
 * A builder whose box runs.
 *
 * @module
 */
import { once, setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningBox } from '../boxes/run/running-box.ts';
import type { Logger } from '../boxes/services/services.ts';
import type { Builder } from '../build/builder.ts';
import { A3sError } from '../errors.ts';
import { GuestRefusal } from '../guest/refusal.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import { KEPT_BYTES } from './cache-size.ts';
import { BRIDGE, BRIDGE_PORT, PROXY_PORT, STEP_PROXY_PORT } from './ports.ts';
import { ProxyPort } from './proxy-port.ts';
import { BLOBS, DOCKER_SOCKET } from './request.ts';

/**
 * How many connections to each proxy are served at once. More of them wait in the guest, whose
 * agent takes no more than 128, with those to the daemon.
 */
const PROXY_CONNECTIONS = 40;
const STEP_CONNECTIONS = 48;
const RETRY_MS = 200;
/** Longest answer to a ping. */
const PING_BYTES = 16 * 1024;

export class RunningBuilder implements Builder {
  readonly name: string;
  readonly authority: Builder['authority'];
  readonly image: string;
  readonly cacheDisk: string;
  readonly keptBytes = KEPT_BYTES;
  readonly stepProxy = `http://${BRIDGE}:${BRIDGE_PORT}`;
  readonly #box: Pick<RunningBox, 'guest' | 'signal'>;
  readonly #log: Logger;
  readonly #proxy: ProxyPort;
  readonly #steps: ProxyPort;

  constructor(
    made: Pick<Builder, 'name' | 'authority' | 'image' | 'cacheDisk'>,
    box: Pick<RunningBox, 'guest' | 'signal'>,
    log: Logger,
  ) {
    this.name = made.name;
    this.authority = made.authority;
    this.image = made.image;
    this.cacheDisk = made.cacheDisk;
    this.#box = box;
    this.#log = log;
    this.#proxy = this.#portOf(PROXY_PORT, PROXY_CONNECTIONS);
    this.#steps = this.#portOf(STEP_PROXY_PORT, STEP_CONNECTIONS);
  }

  /** Whether its microVM is gone, or this server has released it. */
  get ended(): boolean {
    return this.#box.signal.aborted;
  }

  async dial(signal?: AbortSignal): Promise<Duplex> {
    signal?.throwIfAborted();
    const guest = await this.#box.guest();
    return await guest.connectSocket(DOCKER_SOCKET, signal);
  }

  async blobArchive(digest: Digest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const guest = await this.#box.guest();
    try {
      return (await guest.files.read(`${BLOBS}/${hexOf(digest)}`, signal)).archive;
    } catch (error) {
      if (!(error instanceof GuestRefusal)) throw error;
      throw new A3sError('builder-failed', `The builder does not have the blob ${digest}`, {
        remedy: 'Build again.',
        cause: error,
      });
    }
  }

  serveProxy(serve: (connection: Duplex) => void): () => void {
    return this.#proxy.serve(serve);
  }

  serveStepProxy(serve: (connection: Duplex) => void): () => void {
    return this.#steps.serve(serve);
  }

  #portOf(port: number, places: number): ProxyPort {
    const { signal } = this.#box;
    // One listener for each place.
    const gone = AbortSignal.any([signal]);
    setMaxListeners(0, gone);
    return new ProxyPort({
      ...{ places, signal },
      accept: async () => (await this.#box.guest()).acceptConnection(port, gone),
      failed: (error) => {
        this.#log.error('a builder’s proxy has no connection', error, { builder: this.name });
      },
    });
  }

  /**
   * Waits until the daemon answers.
   *
   * @throws the signal's reason; `box-not-running` when the box ends; A3sError of the agent
   */
  async ready(signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#box.signal]);
    for (;;) {
      either.throwIfAborted();
      if (await this.#answers(either)) return;
      await delay(RETRY_MS, undefined, { signal: either }).catch(() => undefined);
    }
  }

  async #answers(signal: AbortSignal): Promise<boolean> {
    let connection: Duplex;
    try {
      connection = await this.dial(signal);
    } catch (error) {
      if (error instanceof GuestRefusal && error.guestCode === 'socket-refused') return false;
      throw error;
    }
    try {
      connection.write('GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n');
      let answer = '';
      connection.on('data', (data: Buffer) => {
        if (answer.length < PING_BYTES) answer += data.toString('latin1');
      });
      await Promise.race([
        once(connection, 'end', { signal }),
        once(connection, 'close', { signal }),
      ]);
      return answer.startsWith('HTTP/1.1 200 ');
    } finally {
      connection.destroy();
    }
  }
}
