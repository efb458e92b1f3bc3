/**
 * User-defined networks of an ordinary user. A process of that user's holds a user namespace and a
 * mount namespace, in which a program makes networks as root's server makes them on the host. What
 * the host shares with them are sockets of pasta alone.
 *
 * The namespaces and what runs in them outlive the server; the program ends with it. All of it ends
 * with the last box.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedLock } from '../../async/keyed-lock.ts';
import { A3sError } from '../../errors.ts';
import { userNetworks } from '../host/available.ts';
import type { Endpoint } from '../host/endpoint.ts';
import type { Attachment, HostNetworks, NetworkLog, Place } from '../host/host-networks.ts';
import { ifMissing } from '../host/if-missing.ts';
import type { BoxRefusal } from '../host/limit-box.ts';
import { takeDescriptor } from '../host/take-descriptor.ts';
import type { UserNetworks } from '../network.ts';
import { Helper, type HelperProgram } from './helper.ts';
import { endHolderProcess, holderProcess, startHolderProcess } from './holder-process.ts';
import { Descriptor, Refusals, type Request } from './messages.ts';

/** One at a time: the holding process and the program begin and end together. */
const LOCK = 'processes';

export class RootlessNetworks implements HostNetworks {
  readonly #directory: string;
  readonly #places: string;
  readonly #log: NetworkLog;
  readonly #program: HelperProgram;
  readonly #locks = new KeyedLock();
  #helper: Helper | undefined;
  /** Requests that are not answered yet. */
  #asked = 0;
  /** Whether the last repair has failed, so that it is in the log once. */
  #isBroken = false;

  /** @param directory is there while there are networks, and others do not come to it */
  constructor(directory: string, log: NetworkLog, program: HelperProgram) {
    this.#directory = directory;
    this.#places = join(directory, 'places');
    this.#log = log;
    this.#program = program;
  }

  availability(): Promise<UserNetworks> {
    return userNetworks();
  }

  /** All of it is one request, which is made again if the program ends meanwhile. */
  async attach(endpoint: Endpoint): Promise<Attachment> {
    const tap = await this.#use(async (helper) => {
      try {
        const descriptor = Descriptor.parse(await helper.ask({ ask: 'attach', endpoint }));
        try {
          return await takeDescriptor(helper.pid, descriptor);
        } finally {
          // A program that has ended has closed it.
          await helper.ask({ ask: 'close', descriptor }).catch(() => undefined);
        }
      } catch (error) {
        await this.#undo(endpoint);
        throw error;
      }
    });
    return { tap, whole: Promise.resolve() };
  }

  async publish(endpoint: Endpoint): Promise<void> {
    await this.#ask({ ask: 'publish', endpoint });
  }

  async detach(box: string, network?: string): Promise<void> {
    if (!existsSync(this.#directory)) return;
    await this.#ask({ ask: 'detach', box, ...(network === undefined ? {} : { network }) });
  }

  async reconcile(kept: readonly Place[]): Promise<void> {
    if (!existsSync(this.#directory)) return;
    await this.#ask({
      ask: 'reconcile',
      kept: kept.map(({ box, network }) => ({ box, network })),
    });
  }

  async repair(): Promise<void> {
    if (!existsSync(this.#directory)) return;
    try {
      await this.#ask({ ask: 'repair' });
      this.#isBroken = false;
    } catch (error) {
      if (!this.#isBroken) this.#log.error('networks are not in order', error);
      this.#isBroken = true;
    }
  }

  async refusals(): Promise<readonly BoxRefusal[]> {
    if (!existsSync(this.#places)) return [];
    return Refusals.parse(await this.#ask({ ask: 'refusals' }));
  }

  /** Never rejects: the reason why the box is not in its network counts. */
  async #undo({ box, network }: Endpoint): Promise<void> {
    try {
      await this.#ask({ ask: 'detach', box, network: network.id });
    } catch (error) {
      this.#log.error('a box was not taken out of a network', error, { box });
    }
  }

  async #ask(request: Request): Promise<unknown> {
    return await this.#use((helper) => helper.ask(request));
  }

  async #use<T>(work: (helper: Helper) => Promise<T>): Promise<T> {
    this.#asked += 1;
    try {
      return await this.#tried(work);
    } finally {
      this.#asked -= 1;
      await this.#endIfUnused();
    }
  }

  /** Each request may be made again: one that was cut off is, once. */
  async #tried<T>(work: (helper: Helper) => Promise<T>): Promise<T> {
    const ready = (): Promise<Helper> => this.#locks.run(LOCK, () => this.#ready());
    const helper = await ready();
    try {
      return await work(helper);
    } catch (error) {
      if (!helper.hasEnded) throw error;
    }
    return await work(await ready());
  }

  /** The program, in namespaces that are held. */
  async #ready(): Promise<Helper> {
    const held = holderProcess(this.#directory);
    const running = this.#helper;
    if (running?.hasEnded === false) {
      // They are still there, since the program is in them.
      if (held === undefined) await running.ask({ ask: 'hold' });
      return running;
    }
    await mkdir(this.#directory, { recursive: true });
    const holder = held ?? (await startHolderProcess(this.#directory, 'new-namespaces'));
    const [directory, places] = [this.#directory, this.#places];
    const helper = await Helper.start(this.#program, { holder, directory, places }, this.#log);
    this.#helper = helper;
    if (held === undefined) await this.#clear(helper);
    return helper;
  }

  /** Removes what is left of namespaces that are gone. */
  async #clear(helper: Helper): Promise<void> {
    const lost = (await readdir(this.#places).catch(ifMissing)) ?? [];
    if (lost.length === 0) return;
    await helper.ask({ ask: 'reconcile', kept: [] });
    const boxes = lost.filter((name) => name.endsWith('.json')).map((name) => name.split('.')[0]);
    if (boxes.length === 0) return;
    const error = new A3sError('network-failed', 'The process that held the networks was killed', {
      remedy: 'Restart the boxes.',
    });
    this.#log.error('boxes have lost their networks', error, { boxes });
  }

  async #endIfUnused(): Promise<void> {
    const isUsed = (): boolean => this.#asked > 0 || existsSync(this.#places);
    if (isUsed()) return;
    try {
      await this.#locks.run(LOCK, async () => {
        if (isUsed()) return;
        await this.#helper?.end();
        this.#helper = undefined;
        await endHolderProcess(this.#directory);
        await rm(this.#directory, { recursive: true, force: true });
      });
    } catch (error) {
      this.#log.error('the namespaces of networks were not removed', error);
    }
  }
}
