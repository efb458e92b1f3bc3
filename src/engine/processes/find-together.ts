/**
 * Finds the processes of many VMs at a time. A server that takes over hundreds of them asks for all
 * at once, and each search of its own would read all of `/proc`, which has the processes of all.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { isJailUid } from '../../jail/identity.ts';
import { type FoundProcess, listProcesses, ProcessList } from './processes.ts';

/** Lists processes once for all callers that come before it begins to. */
export class SharedListing<T> {
  readonly #list: () => T;
  #next: Promise<T> | undefined;

  constructor(list: () => T) {
    this.#list = list;
  }

  /** No earlier list than of now: it has every process that runs already. */
  read(): Promise<T> {
    this.#next ??= this.#read();
    return this.#next;
  }

  async #read(): Promise<T> {
    await setImmediate();
    this.#next = undefined;
    return this.#list();
  }
}

const listing = new SharedListing(() => new ProcessList(listProcesses(isJailUid)));

/** What `findProcesses` finds of users of jails. */
export async function findTogether(runtimeDir: string): Promise<FoundProcess[]> {
  return (await listing.read()).of(runtimeDir);
}
