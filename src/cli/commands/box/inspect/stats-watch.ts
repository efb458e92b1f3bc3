/**
 * The boxes that `stats` shows, each with its last sample. Boxes that start are added, boxes that
 * end are removed.
 *
 * @module
 */
import type { ContainerStats } from '../../../../docker-api/containers/stats.ts';
import type { EventMessage } from '../../../../docker-api/system/system.ts';
import { A3sError } from '../../../../errors.ts';
import { type Client, segment } from '../../../client/client.ts';
import { unreachable } from '../../../client/failure.ts';
import { objectOf, type Received, stringOf } from '../../../client/json.ts';
import { messages } from '../../../client/messages.ts';

type Sample = Received<ContainerStats>;

export interface Watched {
  /** The user's name for the box, or its id. */
  readonly name: string;
  /** Undefined until the first sample. */
  readonly sample: Sample | undefined;
}

interface Entry {
  sample: Sample | undefined;
  readonly stop: () => void;
}

export class StatsWatch {
  readonly #client: Client;
  readonly #signal: AbortSignal;
  readonly #boxes = new Map<string, Entry>();
  readonly #named: boolean;
  #failure: unknown;

  /** @param named whether the user named each box: then an error of one of them ends the command */
  constructor(client: Client, signal: AbortSignal, named: boolean) {
    this.#client = client;
    this.#signal = signal;
    this.#named = named;
  }

  get boxes(): readonly Watched[] {
    return [...this.#boxes].map(([name, { sample }]) => ({ name, sample }));
  }

  /** @throws an error that occurred meanwhile */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves with the first sample, or with the end of the box. @throws A3sError `no-such-box` */
  async add(name: string): Promise<void> {
    if (this.#boxes.has(name)) return;
    const stopping = new AbortController();
    this.#boxes.set(name, { sample: undefined, stop: () => stopping.abort() });
    const signal = AbortSignal.any([this.#signal, stopping.signal]);
    const samples = messages<ContainerStats>(this.#client, {
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
      if (stopping.signal.aborted) this.#boxes.delete(name);
      else this.#lose(name, error);
      return;
    }
    this.#follow(name, samples).catch((error: unknown) => {
      if (!signal.aborted && !isGone(error)) this.#fail(name, error);
    });
  }

  drop(name: string): void {
    this.#boxes.get(name)?.stop();
    this.#boxes.delete(name);
  }

  /**
   * Follows starts and ends until aborted; never resolves.
   *
   * @param all also boxes that do not run
   */
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
    for await (const event of messages<EventMessage>(this.#client, call)) {
      const id = stringOf(objectOf(event.Actor).ID);
      const action = stringOf(event.Action);
      if (action === 'start' || (action === 'create' && all)) {
        this.add(id).catch((error: unknown) => {
          if (!this.#signal.aborted) this.#failure ??= error;
        });
      }
      if (action === 'destroy' || (action === 'die' && !all)) this.drop(id);
    }
    throw unreachable(new Error('it hung up'), this.#client.socket);
  }

  async #follow(name: string, samples: AsyncIterable<Sample>): Promise<void> {
    for await (const sample of samples) this.#take(name, sample);
    this.#boxes.delete(name);
  }

  /** @throws the error, unless it belongs to one box that the user did not name */
  #lose(name: string, error: unknown): void {
    if (this.#named || !isItsOwn(error)) {
      this.#boxes.delete(name);
      throw error;
    }
    this.#forget(name, error);
  }

  #fail(name: string, error: unknown): void {
    if (this.#named || !isItsOwn(error)) this.#failure ??= error;
    else this.#forget(name, error);
  }

  /** A box that exists stays in the table without values. */
  #forget(name: string, error: unknown): void {
    const box = this.#boxes.get(name);
    if (isGone(error)) this.#boxes.delete(name);
    else if (box !== undefined) box.sample = undefined;
  }

  #take(name: string, sample: Sample): void {
    const box = this.#boxes.get(name);
    if (box !== undefined) box.sample = sample;
  }
}

/** A missing value of one box does not hide the others. */
export function isItsOwn(error: unknown): boolean {
  return error instanceof A3sError && error.code !== 'server-unreachable';
}

export function isGone(error: unknown): boolean {
  return error instanceof A3sError && error.code === 'no-such-box';
}
