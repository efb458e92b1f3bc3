/**
 * Builders as boxes: started when they are wanted, ended when nobody has used them for a while.
 *
 * @module
 */
import { KeyedLock } from '../async/keyed-lock.ts';
import { unlessAborted } from '../async/unless-aborted.ts';
import { mayHaveVm } from '../boxes/record/states.ts';
import type { Runtime } from '../boxes/runtime.ts';
import { vmMemory } from '../boxes/spec/resources.ts';
import { saveAndRemove } from '../boxes/verbs/save-and-remove.ts';
import type { Builder, Builders } from '../build/builder.ts';
import { A3sError } from '../errors.ts';
import { BuilderBoxes } from './builder-boxes.ts';
import { readBuilderDocument } from './document.ts';
import { BuilderRecords } from './records.ts';
import { boxNameOf, checkBuilderName, NAME_LABEL } from './request.ts';
import type { RunningBuilder } from './running-builder.ts';
import { SavedBuilders } from './saved-builders.ts';

const IDLE_MS = 10 * 60_000;
/** Each has a disk, and a microVM while it runs. */
const MAX_BUILDERS = 8;

export interface BuilderOptions {
  /** The directory of the builder's image. */
  readonly directory: string;
  /** How long a builder stays up that nobody uses. */
  readonly idleMs?: number | undefined;
  /** Whether the next start of a builder goes on from a memory snapshot. Absent: it boots. */
  readonly snapshots?: boolean | undefined;
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
  readonly #saved: SavedBuilders;
  readonly #boxes: BuilderBoxes;
  readonly #locks = new KeyedLock();
  /** Those that run only to be saved. */
  readonly #saving = new Set<string>();
  readonly #entries = new Map<string, Entry>();
  /** Those that are started for the first time, of which nothing is left yet. */
  readonly #first = new Set<string>();

  constructor(rt: Runtime, options: BuilderOptions) {
    this.#rt = rt;
    this.#options = options;
    this.#records = new BuilderRecords(rt.home);
    this.#saved = new SavedBuilders(rt.home);
    const stores = { records: this.#records, saved: this.#saved };
    this.#boxes = new BuilderBoxes(rt, options.directory, stores);
  }

  /** Takes over the builders of an earlier server, once its boxes are taken over. */
  async open(): Promise<void> {
    const interrupted = await this.#saved.sweep();
    for (const record of await this.#records.list()) {
      const { name } = record;
      this.#awaitIdle(name, this.#entry(name));
      // Its processes may be frozen, and it has built nothing.
      if (interrupted.has(name)) this.#inTurn(name, () => this.#boxes.kill(record));
    }
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
      const starting = this.#locks.run(name, () => this.#admitted(name, entry));
      return { builder: await unlessAborted(starting, signal), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  runs(name: string): boolean {
    if (this.#saving.has(name)) return false;
    const box = this.#rt.store.byName(boxNameOf(name));
    return box !== undefined && mayHaveVm(box.state.status);
  }

  /** Those that run, and those of which caches or memory are left. */
  async list(): Promise<readonly BuilderState[]> {
    return await Promise.all((await this.names()).map((name) => this.#state(name)));
  }

  async names(): Promise<readonly string[]> {
    const recorded = (await this.#records.list()).map(({ name }) => name);
    const cached = this.#rt.volumes.list().flatMap(({ labels }) => labels[NAME_LABEL] ?? []);
    const saved = await this.#saved.names();
    return [...new Set([...recorded, ...cached, ...saved])].sort();
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
      if (record !== undefined) await this.#boxes.end(record);
      if (entry !== undefined) entry.running = undefined;
      await this.#saved.discard(name);
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
      state: box !== undefined && this.runs(name) ? 'running' : 'stopped',
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
      entry.idle = undefined;
      this.#inTurn(name, () => this.#endIdle(name, entry));
    }, this.#options.idleMs ?? IDLE_MS);
    entry.idle.unref();
  }

  /** Ends a builder in the background. */
  #inTurn(name: string, end: () => Promise<void>): void {
    this.#locks.run(name, end).catch((error: unknown) => {
      this.#rt.log.error('a builder could not be ended', error, { builder: name });
    });
  }

  async #endIdle(name: string, entry: Entry): Promise<void> {
    if (entry.uses > 0 || this.#rt.shutdown.aborted) return;
    const record = await this.#records.get(name);
    if (record !== undefined) {
      await this.#boxes.end(record);
      entry.running = undefined;
      this.#rt.log.info('a builder that nobody used has ended', { builder: name });
      // One that was removed, or never came to run, is not booted.
      if (this.#options.snapshots === true) await this.#save(name, entry);
    }
    // A use that came and went meanwhile may have a start under way, which has to end too.
    if (entry.uses === 0 && entry.idle === undefined) this.#entries.delete(name);
  }

  /**
   * Boots a builder and saves it before it builds anything: no secret of a build is in its memory.
   * A build that asks for the builder meanwhile gets it, and nothing is saved.
   */
  async #save(name: string, entry: Entry): Promise<void> {
    const rt = this.#rt;
    this.#saving.add(name);
    try {
      const image = await this.#boxes.image(await readBuilderDocument(this.#options.directory));
      const key = await this.#boxes.key(name, image);
      if (key === undefined) return;
      const { memoryBytes } = this.#boxes.request(name, image, { certificate: '' });
      if (!(await this.#saved.hasRoom(vmMemory(memoryBytes)))) {
        rt.log.info('the disk has no room for a memory snapshot of a builder', { builder: name });
        return;
      }
      const running = await this.#boxes.boot(name, image);
      const record = await this.#records.get(name);
      if (entry.uses > 0 || rt.shutdown.aborted || record === undefined) {
        entry.running = running;
        return;
      }
      const saved = await saveAndRemove(rt, record.box, await this.#saved.begin(name));
      await this.#records.remove(name);
      const { authority } = record;
      await this.#saved.finish(name, { ...saved, key, authority }, this.#boxes.cachePath(name));
      rt.log.info('a memory snapshot of a builder was made', { builder: name });
    } catch (error) {
      if (rt.shutdown.aborted) return;
      rt.log.error('a memory snapshot of a builder could not be made', error, { builder: name });
      const record = await this.#records.get(name);
      if (record !== undefined) await this.#boxes.kill(record);
      await this.#saved.discard(name);
    } finally {
      this.#saving.delete(name);
    }
  }

  /**
   * The caller holds the builder's lock.
   *
   * @throws A3sError `conflict` for one more than there may be
   */
  async #admitted(name: string, entry: Entry): Promise<RunningBuilder> {
    const known = await this.names();
    if (!known.includes(name)) {
      // From here to its place among the first ones, nothing else runs.
      if (new Set([...known, ...this.#first]).size >= MAX_BUILDERS) throw tooMany();
      this.#first.add(name);
    }
    try {
      return await this.#running(name, entry);
    } finally {
      this.#first.delete(name);
    }
  }

  /** The caller holds the builder's lock. */
  async #running(name: string, entry: Entry): Promise<RunningBuilder> {
    if (entry.running !== undefined && !entry.running.ended) return entry.running;
    entry.running = undefined;
    const document = await readBuilderDocument(this.#options.directory);
    const record = await this.#records.get(name);
    if (record !== undefined) {
      const builder = await this.#boxes.adopt(record, document);
      if (builder !== undefined) {
        entry.running = builder;
        return builder;
      }
      await this.#boxes.end(record);
    }
    entry.running = await this.#boxes.start(name, document);
    return entry.running;
  }
}

function tooMany(): A3sError {
  return new A3sError(
    'conflict',
    `Cannot start another builder: there are ${MAX_BUILDERS}, which is all that there may be`,
    { remedy: 'Remove one that is not needed: a3s-box builder rm NAME.' },
  );
}
