/**
 * A server with CRI that is killed again and again while its client calls it.
 *
 * @module
 */
import type { DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { RuntimeService } from '../../src/cri/grpc/library.ts';
import { CriClient } from '../../src/cri/testing/cri-client.ts';
import type { Actor } from './actor.ts';
import { until } from './processes.ts';

export class KilledServer {
  readonly #actor: Actor;
  readonly #socket: string;
  readonly #options: readonly string[];
  /** It is killed once it has answered so many calls that change something. */
  readonly #every: number;
  #client: CriClient | undefined;
  #up: Promise<void> = Promise.resolve();
  #isRestarting = false;
  #changes = 0;
  kills = 0;

  constructor(actor: Actor, socket: string, options: readonly string[], every: number) {
    this.#actor = actor;
    this.#socket = socket;
    this.#options = options;
    this.#every = every;
  }

  async start(): Promise<void> {
    const server = this.#actor.start(['serve', '--cri', this.#socket, ...this.#options]);
    server.stdout?.resume();
    server.stderr?.resume();
    const client = new CriClient(this.#socket);
    await until('CRI answers', async () => {
      const answer = await client.call(RuntimeService.method.version, {}).catch(() => undefined);
      return answer?.runtimeName === 'a3s-box';
    });
    this.#client = client;
  }

  /**
   * A call that changes something. Since only those count, the server gets on between two kills.
   *
   * @returns undefined where the server was killed before it answered
   */
  async change<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']> | undefined> {
    const answer = await this.#ask(method, request);
    if (answer === undefined) return undefined;
    this.#changes += 1;
    if (this.#changes >= this.#every && !this.#isRestarting) {
      this.#changes = 0;
      // Other calls are under way.
      this.#up = this.#restart();
    }
    return answer;
  }

  /** A change that may be made again, until it is answered. */
  async repeat<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']>> {
    for (;;) {
      const answer = await this.change(method, request);
      if (answer !== undefined) return answer;
    }
  }

  /** A question, which is asked until it is answered. */
  async ask<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']>> {
    for (;;) {
      const answer = await this.#ask(method, request);
      if (answer !== undefined) return answer;
    }
  }

  async #ask<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']> | undefined> {
    await this.#up;
    const client = this.#client;
    if (client === undefined) throw new Error('the server was not started');
    try {
      return await client.call(method, request);
    } catch (error) {
      // Whatever it says: the next call finds out how far the server came.
      if (this.#isRestarting || client !== this.#client) return undefined;
      throw error;
    }
  }

  async #restart(): Promise<void> {
    const client = this.#client;
    this.#isRestarting = true;
    await this.#actor.killServer();
    this.kills += 1;
    client?.close();
    await this.start();
    this.#isRestarting = false;
  }

  async end(): Promise<void> {
    await this.#up;
    this.#client?.close();
  }
}
