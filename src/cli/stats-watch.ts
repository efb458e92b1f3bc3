/**
 * The boxes that `stats` shows, each with its last sample. Those that start appear, those that end go.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import { type Client, segment } from './client/client.ts';
import { unreachable } from './client/failure.ts';
import { type JsonObject, objectOf, stringOf } from './client/json.ts';
import { messages } from './client/messages.ts';

export interface Watched {
  /** As the user calls the box, or its id. */
  readonly name: string;
  /** Undefined until the first has come. */
  readonly sample: JsonObject | undefined;
}

interface Entry {
  sample: JsonObject | undefined;
  readonly stop: () => void;
}

export class StatsWatch {
  readonly #client: Client;
  readonly #signal: AbortSignal;
  readonly #boxes = new Map<string, Entry>();
  #failure: unknown;

  constructor(client: Client, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  get boxes(): readonly Watched[] {
    return [...this.#boxes].map(([name, { sample }]) => ({ name, sample }));
  }

  /** @throws what went wrong meanwhile */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves with the first sample, or with the end of the box. @throws A3sError `no-such-box` */
  async add(name: string): Promise<void> {
    if (this.#boxes.has(name)) return;
    const stopping = new AbortController();
    this.#boxes.set(name, { sample: undefined, stop: () => stopping.abort() });
    const signal = AbortSignal.any([this.#signal, stopping.signal]);
    const samples = messages(this.#client, {
      method: 'GET',
      path: `/containers/${segment(name)}/stats`,
      query: { stream: true },
      signal,
    });
    try {
      const first = await samples.next();
      if (first.done === true) this.#boxes.delete(name);
      else this.#take(name, first.value);
    } catch (error) {
      this.#boxes.delete(name);
      if (!stopping.signal.aborted) throw error;
      return;
    }
    this.#follow(name, samples).catch((error: unknown) => {
      if (!signal.aborted && !isGone(error)) this.#failure ??= error;
    });
  }

  drop(name: string): void {
    this.#boxes.get(name)?.stop();
    this.#boxes.delete(name);
  }

  /** Follows what starts and what ends, until aborted; never resolves. @param all also those that do not run */
  async followEvents(all: boolean): Promise<never> {
    const filters = JSON.stringify({
      type: ['container'],
      event: ['create', 'start', 'die', 'destroy'],
    });
    const call = {
      method: 'GET',
      path: '/events',
      query: { filters },
      signal: this.#signal,
    } as const;
    for await (const event of messages(this.#client, call)) {
      const id = stringOf(objectOf(event['Actor'])['ID']);
      const action = stringOf(event['Action']);
      if (action === 'start' || (action === 'create' && all)) {
        this.add(id).catch((error: unknown) => {
          if (!this.#signal.aborted && !isGone(error)) this.#failure ??= error;
        });
      }
      if (action === 'destroy' || (action === 'die' && !all)) this.drop(id);
    }
    throw unreachable(new Error('it hung up'), this.#client.socket);
  }

  async #follow(name: string, samples: AsyncIterable<JsonObject>): Promise<void> {
    for await (const sample of samples) this.#take(name, sample);
    this.#boxes.delete(name);
  }

  #take(name: string, sample: JsonObject): void {
    const box = this.#boxes.get(name);
    if (box !== undefined) box.sample = sample;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof A3sError && error.code === 'no-such-box';
}
