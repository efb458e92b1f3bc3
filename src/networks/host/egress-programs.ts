/**
 * Starts the programs of limited places. A start takes up to a minute and holds up nothing but what
 * concerns its place, which whoever takes the box out can end.
 *
 * @module
 */
import { KeyedLock } from '../../async/keyed-lock.ts';
import { Semaphore } from '../../async/semaphore.ts';
import { lastFailure } from '../egress/host-program.ts';
import { Backoff } from './backoff.ts';
import type { Endpoint } from './endpoint.ts';
import type { NetworkLog } from './host-networks.ts';
import {
  ensureEgressProgram,
  type LimitingProgram,
  lacksEgressProgram,
  restartEgressProgram,
} from './limit-box.ts';

/** Programs that are started again at a time. */
const MAX_STARTS = 2;

/** What is on record of a place; undefined: the box is not there any more. */
type Recorded = () => Promise<Endpoint | undefined>;
type Ensure = typeof restartEgressProgram;

export class EgressPrograms {
  readonly #program: LimitingProgram;
  readonly #log: NetworkLog;
  readonly #places = new KeyedLock();
  readonly #starting = new Map<string, AbortController>();
  readonly #slots = new Semaphore(MAX_STARTS);
  readonly #backoff = new Backoff();

  constructor(program: LimitingProgram, log: NetworkLog) {
    this.#program = program;
    this.#log = log;
  }

  /** Starts the program of a place that was just made, where it is limited. */
  async start(namespace: string, recorded: Recorded): Promise<void> {
    await this.#ensure(namespace, recorded, ensureEgressProgram);
  }

  async #ensure(namespace: string, recorded: Recorded, ensure: Ensure): Promise<void> {
    const starting = new AbortController();
    this.#starting.set(namespace, starting);
    const { signal } = starting;
    try {
      await this.#places.run(namespace, async () => {
        const endpoint = await recorded();
        if (endpoint === undefined) return;
        await ensure(namespace, endpoint, { ...this.#program, signal });
      });
    } finally {
      if (this.#starting.get(namespace) === starting) this.#starting.delete(namespace);
    }
  }

  /** Starts another one where one has ended; one that ends again and again is tried seldom. */
  async repair(namespace: string, recorded: Recorded): Promise<void> {
    const endpoint = await recorded();
    if (endpoint === undefined || !lacksEgressProgram(namespace, endpoint)) return;
    if (this.#starting.has(namespace) || !this.#backoff.mayTry(namespace)) return;
    await this.#slots.run(async () => {
      // One that was killed says nothing.
      const why = await lastFailure(namespace);
      if (why !== undefined) {
        const { box } = endpoint;
        this.#log.error('a program that limits a box has ended', new Error(why), { box });
      }
      await this.#ensure(namespace, recorded, restartEgressProgram);
    });
  }

  /** Runs `work` while no program of the place is started; one that is starting is ended. */
  async leave<T>(namespace: string, work: () => Promise<T>): Promise<T> {
    this.#starting.get(namespace)?.abort();
    this.#backoff.forget(namespace);
    return await this.#places.run(namespace, work);
  }

  /** Runs `work` while the place stays as it is. */
  async hold<T>(namespace: string, work: () => Promise<T>): Promise<T> {
    return await this.#places.run(namespace, work);
  }
}
