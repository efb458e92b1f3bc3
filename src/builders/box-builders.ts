/**
 * Builders as boxes: started when they are wanted, ended when nobody has used them for a while.
 *
 * @module
 */
import { join } from 'node:path';
import { KeyedLock } from '../async/keyed-lock.ts';
import { unlessAborted } from '../async/unless-aborted.ts';
import { createBox } from '../boxes/create/create.ts';
import { mayHaveVm } from '../boxes/record/states.ts';
import type { Runtime } from '../boxes/runtime.ts';
import { startBox } from '../boxes/start/start.ts';
import { removeBox } from '../boxes/supervise/remove.ts';
import { stopBox } from '../boxes/verbs/stop.ts';
import type { Builder, Builders } from '../build/builder.ts';
import { A3sError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import { makeAuthority } from '../tls-proxy/make-authority.ts';
import { type BuilderDocument, IMAGE_LAYOUT, readBuilderDocument } from './document.ts';
import { lastOutput } from './last-output.ts';
import { type BuilderRecord, BuilderRecords } from './records.ts';
import { boxNameOf, builderRequest, checkBuilderName, NAME_LABEL } from './request.ts';
import { RunningBuilder } from './running-builder.ts';

/** Emulated, a daemon takes half a minute on a machine that does nothing else. */
const READY_MS = 600_000;
const IDLE_MS = 10 * 60_000;

/**
 * The builder's image is this installation's own, named by the digest that it is compared with, so
 * the image policy has nothing to say about it.
 */
const POLICY = `schema: a3s-box/image-policy/v1
images:
  - pattern: "**"
    allowUnsigned: true
`;

export interface BuilderOptions {
  /** The directory of the builder's image. */
  readonly directory: string;
  /** How long a builder stays up that nobody uses. */
  readonly idleMs?: number;
}

/** What is known of a builder without its daemon. */
export interface BuilderState {
  readonly name: string;
  readonly state: 'running' | 'stopped';
  /** Id of its box; empty where it has none. */
  readonly box: string;
  /** How many clients use it. */
  readonly uses: number;
  /** The volume with its layers and caches. */
  readonly cache: string;
  /** What they take of the host's disk, and the size of theirs. */
  readonly cacheBytes: number;
  readonly cacheLimitBytes: number;
}

/** A builder, as long as somebody uses it or it runs. */
interface Entry {
  uses: number;
  running: RunningBuilder | undefined;
  idle: NodeJS.Timeout | undefined;
}

export class BoxBuilders implements Builders {
  readonly #rt: Runtime;
  readonly #options: BuilderOptions;
  readonly #records: BuilderRecords;
  readonly #locks = new KeyedLock();
  readonly #entries = new Map<string, Entry>();

  constructor(rt: Runtime, options: BuilderOptions) {
    this.#rt = rt;
    this.#options = options;
    this.#records = new BuilderRecords(rt.home);
  }

  /** Takes over the builders of an earlier server, once its boxes are taken over. */
  async open(): Promise<void> {
    for (const { name } of await this.#records.list()) this.#awaitIdle(name, this.#entry(name));
  }

  /** When this returns, no work on any builder is left. Builders run on, as other boxes do. */
  async close(): Promise<void> {
    for (const { idle } of this.#entries.values()) clearTimeout(idle);
    await this.#locks.idle();
  }

  async use(
    asked: string,
    signal?: AbortSignal,
  ): Promise<{ readonly builder: Builder; release(): void }> {
    const name = checkBuilderName(asked);
    const entry = this.#entry(name);
    entry.uses += 1;
    clearTimeout(entry.idle);
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      entry.uses -= 1;
      if (entry.uses === 0) this.#awaitIdle(name, entry);
    };
    try {
      const starting = this.#locks.run(name, () => this.#running(name, entry));
      return { builder: await unlessAborted(starting, signal), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  runs(name: string): boolean {
    const box = this.#rt.store.byName(boxNameOf(name));
    return box !== undefined && mayHaveVm(box.state.status);
  }

  /** Those that run, and those of which caches are left. */
  async list(): Promise<readonly BuilderState[]> {
    const recorded = (await this.#records.list()).map(({ name }) => name);
    const cached = this.#rt.volumes.list().flatMap(({ labels }) => labels[NAME_LABEL] ?? []);
    const names = [...new Set([...recorded, ...cached])].sort();
    return await Promise.all(names.map((name) => this.#state(name)));
  }

  /** @throws A3sError `no-such-builder` */
  async inspect(name: string): Promise<BuilderState> {
    const found = (await this.list()).find((builder) => builder.name === name);
    if (found !== undefined) return found;
    throw new A3sError('no-such-builder', `No such builder: ${name.slice(0, 128)}`, {
      remedy: 'List them with a3s-box builder ls.',
    });
  }

  /**
   * Ends a builder, and removes its caches.
   *
   * @throws A3sError `no-such-builder`; `conflict` without `force` while somebody uses it
   */
  async remove(name: string, { force }: { readonly force: boolean }): Promise<void> {
    await this.inspect(name);
    await this.#locks.run(name, async () => {
      const entry = this.#entries.get(name);
      if (!force && entry !== undefined && entry.uses > 0) {
        throw new A3sError('conflict', `Cannot remove the builder ${name}: a build uses it`, {
          remedy: 'Wait until the build has ended, or remove it with --force.',
        });
      }
      const record = await this.#records.get(name);
      if (record !== undefined) await this.#end(record);
      if (entry !== undefined) entry.running = undefined;
      const { volumes } = this.#rt;
      const cache = boxNameOf(name);
      if (volumes.list().some((volume) => volume.name === cache)) await volumes.remove(cache);
    });
  }

  async #state(name: string): Promise<BuilderState> {
    const record = await this.#records.get(name);
    const box = record === undefined ? undefined : this.#rt.store.get(record.box);
    const { volumes } = this.#rt;
    const cache = volumes.list().find((volume) => volume.name === boxNameOf(name));
    return {
      name,
      state: box !== undefined && mayHaveVm(box.state.status) ? 'running' : 'stopped',
      box: box?.definition.id ?? '',
      uses: this.#entries.get(name)?.uses ?? 0,
      cache: boxNameOf(name),
      cacheBytes: cache === undefined ? 0 : await volumes.bytes(cache.name),
      cacheLimitBytes: cache?.diskBytes ?? 0,
    };
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name) ?? { uses: 0, running: undefined, idle: undefined };
    this.#entries.set(name, entry);
    return entry;
  }

  #awaitIdle(name: string, entry: Entry): void {
    clearTimeout(entry.idle);
    if (this.#rt.shutdown.aborted) return;
    entry.idle = setTimeout(() => {
      this.#locks
        .run(name, () => this.#endIdle(name, entry))
        .catch((error: unknown) => {
          this.#rt.log.error('a builder could not be ended', error, { builder: name });
        });
    }, this.#options.idleMs ?? IDLE_MS);
    entry.idle.unref();
  }

  async #endIdle(name: string, entry: Entry): Promise<void> {
    if (entry.uses > 0 || this.#rt.shutdown.aborted) return;
    const record = await this.#records.get(name);
    if (record !== undefined) await this.#end(record);
    entry.running = undefined;
    if (entry.uses === 0) this.#entries.delete(name);
    this.#rt.log.info('a builder that nobody used has ended', { builder: name });
  }

  /** The caller holds the builder's lock. */
  async #running(name: string, entry: Entry): Promise<RunningBuilder> {
    if (entry.running !== undefined && !entry.running.ended) return entry.running;
    entry.running = undefined;
    const document = await readBuilderDocument(this.#options.directory);
    const record = await this.#records.get(name);
    if (record !== undefined) {
      const builder = await this.#adopt(record, document);
      if (builder !== undefined) {
        entry.running = builder;
        return builder;
      }
      await this.#end(record);
    }
    entry.running = await this.#start(name, document);
    return entry.running;
  }

  /** Undefined where it has to be started anew: it does not run, or was made of another image. */
  async #adopt(
    { name, box, authority }: BuilderRecord,
    { manifestDigest }: BuilderDocument,
  ): Promise<RunningBuilder | undefined> {
    const running = this.#rt.running.get(box);
    const { definition } = this.#rt.store.get(box) ?? {};
    if (running === undefined || definition?.image.manifestDigest !== manifestDigest) {
      return undefined;
    }
    const cacheDisk = this.#cacheDisk(name);
    const builder = new RunningBuilder({ name, authority, cacheDisk }, running, this.#rt.log);
    try {
      await builder.ready(this.#deadline());
      return builder;
    } catch (error) {
      this.#rt.shutdown.throwIfAborted();
      this.#rt.log.error('a builder does not answer, and is started anew', error, {
        builder: name,
      });
      return undefined;
    }
  }

  async #start(name: string, document: BuilderDocument): Promise<RunningBuilder> {
    const rt = this.#rt;
    const image = await this.#image(document);
    await this.#removeUnrecorded(name);
    const authority = makeAuthority({ subject: 'a3s-box builder', now: Date.now() });
    const policyId = await rt.trust.handOver({ text: POLICY, directory: '/' });
    const request = builderRequest(name, image.id, authority, rt.host);
    const box = await createBox(rt, request, { policyId });
    const { id } = box.definition;
    const record = { name, box: id, authority };
    await this.#records.put(record);
    try {
      await startBox(rt, id, { policyId });
      const cacheDisk = this.#cacheDisk(name);
      const running = rt.running.expect(id);
      const builder = new RunningBuilder({ name, authority, cacheDisk }, running, rt.log);
      await builder.ready(this.#deadline());
      rt.log.info('a builder was started', { builder: name, box: id });
      return builder;
    } catch (error) {
      rt.shutdown.throwIfAborted();
      const output = await lastOutput(rt, id);
      await this.#end(record);
      throw new A3sError('builder-failed', `Cannot start the builder ${name}${output}`, {
        remedy: 'Build again. If it fails again, see server.log in A3S_HOME.',
        cause: error,
      });
    }
  }

  /** Of a builder that runs. A volume that was removed and made anew was made at another time. */
  #cacheDisk(name: string): string {
    const volume = this.#rt.volumes.list().find((each) => each.name === boxNameOf(name));
    if (volume === undefined) throw new TypeError(`the builder ${name} has no cache`);
    return `${volume.name} ${volume.createdAt}`;
  }

  /** When a daemon has to answer. */
  #deadline(): AbortSignal {
    return AbortSignal.any([AbortSignal.timeout(READY_MS), this.#rt.shutdown]);
  }

  /** A server may have died between a box and its record here. */
  async #removeUnrecorded(name: string): Promise<void> {
    const box = this.#rt.store.byName(boxNameOf(name));
    if (box?.definition.labels[NAME_LABEL] !== name) return;
    await removeBox(this.#rt, box.definition.id, { force: true });
  }

  /** The image of this installation, from its files where the store does not have it. */
  async #image({ manifestDigest }: BuilderDocument): Promise<Image> {
    const is = (image: Image): boolean => image.manifestDigest === manifestDigest;
    const { images } = this.#rt;
    const stored = (await images.list()).find(is);
    if (stored !== undefined) return stored;
    const layout = join(this.#options.directory, IMAGE_LAYOUT);
    const loaded = (await images.loadDirectory(layout)).find(is);
    if (loaded !== undefined) return loaded;
    throw new A3sError('builder-missing', 'Cannot build: the builder’s image is another one', {
      remedy: 'Make it again with npm run setup.',
    });
  }

  /** Its caches stay, on their disk. */
  async #end({ name, box }: BuilderRecord): Promise<void> {
    const rt = this.#rt;
    const found = rt.store.get(box);
    if (found !== undefined) {
      if (mayHaveVm(found.state.status)) await stopBox(rt, box, { keep: true });
      if (rt.store.get(box) !== undefined) await removeBox(rt, box, { force: true });
    }
    await this.#records.remove(name);
  }
}
