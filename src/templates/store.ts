/**
 * The store of templates: it returns templates to callers, and decides when one is made and when
 * one is removed.
 *
 * @module
 */
import { rm, statfs } from 'node:fs/promises';
import { unlessAborted } from '../async/unless-aborted.ts';
import type { VmShape } from '../engine/vm/template.ts';
import { A3sError } from '../errors.ts';
import { ageOf, due, expired } from './age.ts';
import { excess } from './bounds.ts';
import { Damaged } from './damaged.ts';
import { detailsOf, find, summaries } from './describe.ts';
import { keyOf } from './key.ts';
import { Maker, vmDirectory, type Wanted } from './make/maker.ts';
import type { TemplateAction, TemplateStoreOptions } from './options.ts';
import type { TemplateRecord } from './record.ts';
import { TemplateCache } from './template-cache.ts';
import { type Clock, type StoredTemplate, TemplateDirectory } from './template-directory.ts';
import type {
  TakenTemplate,
  TemplateDetails,
  TemplateSummary,
  Templates,
  WarmProgress,
} from './templates.ts';

/** The share of the space that is free on the disk or taken by templates. */
const DISK_SHARE = 0.25;
const CLOCK: Clock = { wall: () => Date.now(), steady: () => performance.now() };

/** A shape, whatever the boot set. */
type Size = Omit<VmShape, 'boot'>;

export class TemplateStore implements Templates {
  readonly enabled = true;
  readonly #options: TemplateStoreOptions;
  readonly #clock: Clock;
  readonly #stored: TemplateDirectory;
  readonly #cache: TemplateCache;
  readonly #maker: Maker;
  /** Keys that are no longer requested, and that were in use when that was found. */
  readonly #stale = new Set<string>();
  readonly #closing = new AbortController();
  readonly #background = new Set<Promise<void>>();

  constructor(options: TemplateStoreOptions) {
    this.#options = options;
    this.#clock = options.clock ?? CLOCK;
    this.#stored = new TemplateDirectory(options.directory, this.#clock);
    this.#cache = new TemplateCache(
      () => this.#stored.list(),
      options.limits.memoryBytes,
      (error) => options.log.error('a template could not be let go', error),
    );
    this.#maker = new Maker({
      ...options,
      clock: this.#clock,
      signal: this.#closing.signal,
      workDirectory: (id) => this.#stored.workDirectory(id),
      keep: (directory, record, milliseconds) => this.#keep(directory, record, milliseconds),
    });
  }

  /**
   * Finds the templates that an earlier server left, and ends what it was making. Called before
   * anything else.
   */
  async open(): Promise<void> {
    const { engine, runtimeDir, log } = this.#options;
    await this.#stored.open(
      async (id) => {
        const directory = vmDirectory(runtimeDir, id);
        await engine.sweep(id, directory);
        await rm(directory, { recursive: true, force: true });
      },
      (key, error) => {
        if (error instanceof Damaged) this.#tell('drop', key, { reason: error.message });
        else log.error('a template could not be read', error, { template: key });
      },
    );
  }

  async take(shape: VmShape): Promise<TakenTemplate | undefined> {
    let key = '';
    try {
      const wanted = await this.#wanted(shape);
      if (wanted === undefined) return undefined;
      key = wanted.key;
      // The template is still requested.
      this.#stale.delete(key);
      await this.#sweepStale();
      const entry = this.#stored.get(key);
      if (entry === undefined) {
        this.#miss(key, shape, 'there is none');
        return undefined;
      }
      const age = ageOf(entry, this.#clock);
      if (expired(age, this.#options.limits.maxAgeMs)) {
        await this.#remove(entry, 'expire', { reason: 'it is too old' });
        return undefined;
      }
      const taken = await this.#lend(entry, shape);
      if (taken !== undefined && due(age, this.#options.limits.maxAgeMs)) this.#maker.begin(wanted);
      return taken;
    } catch (error) {
      this.#options.log.error('a template could not be taken; the boot goes cold', error, {
        template: key,
      });
      return undefined;
    }
  }

  booted(shape: VmShape): void {
    this.#inBackground('a template could not be made', async () => {
      const wanted = await this.#wanted(shape);
      await this.#sweepStale();
      if (wanted !== undefined) await this.#ensure(wanted);
    });
  }

  async drop(key: string, reason: string): Promise<void> {
    const entry = this.#stored.get(key);
    if (entry === undefined) return;
    this.#maker.distrust(key);
    await this.#remove(entry, 'drop', { reason: reason.slice(0, 512) });
  }

  async warm(
    cpus: readonly number[],
    progress: (step: WarmProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const boot = await this.#currentBoot();
    for (const count of new Set(cpus)) {
      signal.throwIfAborted();
      const shape = { cpus: count, boot };
      await this.#make(shape, (key, step) => progress({ cpus: count, key, step }), signal);
    }
  }

  async make(shape: VmShape, signal: AbortSignal): Promise<void> {
    await this.#make(shape, () => undefined, signal);
  }

  async #make(
    shape: VmShape,
    progress: (key: string, step: WarmProgress['step']) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = await this.#wanted(shape);
    if (wanted === undefined) throw unsupported();
    const { key } = wanted;
    if (!this.#fit(key)) {
      const refusal = this.#maker.refusal(key);
      if (refusal !== undefined) throw refusal;
      const job = this.#maker.begin(wanted, () => progress(key, 'making'));
      progress(key, job.started ? 'making' : 'waiting');
      await unlessAborted(job.done, signal);
    }
    progress(key, 'ready');
  }

  list(): TemplateSummary[] {
    const isUsed = (entry: StoredTemplate): boolean => this.#isUsed(entry);
    const { templateMemoryBytes } = this.#options.engine;
    return summaries(this.#stored.list(), this.#maker.list(), isUsed, templateMemoryBytes);
  }

  inspect(reference: string): TemplateDetails {
    const summary = find(this.list(), reference);
    return detailsOf(summary, this.#stored.get(summary.key), this.#options.limits.maxAgeMs);
  }

  async remove(reference: string): Promise<string> {
    const { key, state } = find(this.list(), reference);
    const entry = this.#stored.get(key);
    if (entry === undefined || state === 'making') {
      throw new A3sError('conflict', `Cannot remove template ${key}: it is being made`, {
        remedy: 'Wait until it is there.',
      });
    }
    if (this.#isUsed(entry)) {
      throw new A3sError('conflict', `Cannot remove template ${key}: running boxes use it`, {
        remedy: 'Stop the boxes that started from it; a3s-box inspect shows which one a box has.',
      });
    }
    await this.#remove(entry, 'remove', { reason: 'it was asked for' });
    return key;
  }

  async prune(): Promise<{ removed: string[]; freedBytes: number }> {
    const removed: string[] = [];
    let freedBytes = 0;
    for (const entry of this.#stored.list()) {
      if (this.#isUsed(entry)) continue;
      await this.#remove(entry, 'remove', { reason: 'it was asked for' });
      removed.push(entry.record.key);
      freedBytes += entry.sizeBytes;
    }
    return { removed, freedBytes };
  }

  refresh(): void {
    this.#inBackground('templates could not be refreshed', async () => {
      const entries = this.#stored.list();
      if (entries.length === 0) return;
      const byUse = [...entries].sort((a, b) => b.lastUsed - a.lastUsed);
      const shapes = byUse.map(({ record: { cpus, sparePorts } }) => ({ cpus, sparePorts }));
      const boot = await this.#currentBoot();
      const current = await this.#allWanted(shapes, boot);
      const asked = new Set([
        ...current.map(({ key }) => key),
        ...(await this.#pinnedKeys(shapes)),
      ]);
      for (const { record } of entries) if (!asked.has(record.key)) this.#stale.add(record.key);
      await this.#sweepStale();
      for (const wanted of current.slice(0, this.#options.limits.max)) await this.#ensure(wanted);
    });
  }

  async close(): Promise<void> {
    this.#closing.abort(new A3sError('internal', 'The server is stopping'));
    await this.#maker.idle();
    await Promise.all(this.#background);
    await Promise.all(this.#stored.list().map((entry) => this.#cache.unload(entry)));
  }

  async #wanted(shape: VmShape): Promise<Wanted | undefined> {
    const found = await keyOf(this.#options.engine, shape);
    return found === undefined ? undefined : { ...found, shape };
  }

  /** Those of one key once, at its first place. */
  async #allWanted(shapes: readonly Size[], boot: VmShape['boot']): Promise<Wanted[]> {
    const all = new Map<string, Wanted>();
    for (const shape of shapes) {
      const wanted = await this.#wanted({ ...shape, boot });
      if (wanted !== undefined && !all.has(wanted.key)) all.set(wanted.key, wanted);
    }
    return [...all.values()];
  }

  /** Keys that boxes of other boot sets than the present one still request. */
  async #pinnedKeys(shapes: readonly Size[]): Promise<string[]> {
    const keys: string[] = [];
    for (const id of new Set(this.#options.pinned())) {
      try {
        const boot = await this.#options.boot.open(id);
        keys.push(...(await this.#allWanted(shapes, boot)).map(({ key }) => key));
      } catch (error) {
        // The boxes of that boot set cannot start either, and report it.
        if (!(error instanceof A3sError)) throw error;
      }
    }
    return keys;
  }

  async #currentBoot(): Promise<VmShape['boot']> {
    const { boot } = this.#options;
    return await boot.open(await boot.current());
  }

  /** Whether there is a template that VMs can start from. */
  #fit(key: string): boolean {
    const entry = this.#stored.get(key);
    if (entry === undefined) return false;
    return !expired(ageOf(entry, this.#clock), this.#options.limits.maxAgeMs);
  }

  async #ensure(wanted: Wanted): Promise<void> {
    if (!this.#fit(wanted.key)) await this.#maker.ensure(wanted);
  }

  async #keep(directory: string, record: TemplateRecord, milliseconds: string): Promise<void> {
    const { before } = await this.#stored.put(directory, record);
    if (before !== undefined) await this.#cache.retire(before);
    this.#tell('create', record.key, { cpus: String(record.cpus), milliseconds });
    await this.#evict(record.key);
  }

  /** @param newest is kept, unless it alone exceeds the limit */
  async #evict(newest: string): Promise<void> {
    const entries = this.#stored.list();
    const total = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const { bavail, bsize } = await statfs(this.#options.directory);
    const bounds = {
      max: this.#options.limits.max,
      diskBytes: (bavail * bsize + total) * DISK_SHARE,
    };
    const others = (entry: StoredTemplate): boolean =>
      entry.record.key === newest || this.#isUsed(entry);
    for (const entry of excess(entries, others, bounds)) {
      await this.#remove(entry, 'evict', { reason: 'others were used since' });
    }
    const left = excess(this.#stored.list(), (entry) => this.#isUsed(entry), bounds);
    for (const entry of left) await this.#remove(entry, 'evict', { reason: 'there is no room' });
    if (this.#stored.get(newest) !== undefined) return;
    throw new A3sError('disk-full', 'Cannot keep the template: there is no room for it', {
      remedy: 'Free some disk space, stop boxes, or raise A3S_TEMPLATES_MAX.',
    });
  }

  async #lend(entry: StoredTemplate, shape: VmShape): Promise<TakenTemplate | undefined> {
    try {
      const taken = await this.#cache.lend(entry, shape);
      if (taken === undefined) this.#miss(entry.record.key, shape, 'there is no memory for it');
      else {
        this.#inBackground('the use of a template could not be noted', () =>
          this.#stored.touch(entry),
        );
      }
      return taken;
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      await this.#remove(entry, 'drop', { reason: error.message });
      return undefined;
    }
  }

  #isUsed(entry: StoredTemplate): boolean {
    return entry.holders > 0 || this.#options.inUse().has(entry.record.key);
  }

  async #remove(
    entry: StoredTemplate,
    action: TemplateAction,
    attributes: Readonly<Record<string, string>>,
  ): Promise<void> {
    if (entry.removed) return;
    const { key } = entry.record;
    this.#stale.delete(key);
    await this.#stored.remove(entry);
    await this.#cache.retire(entry);
    this.#tell(action, key, { cpus: String(entry.record.cpus), ...attributes });
  }

  /** Among the templates that are no longer requested: those that nothing uses any more. */
  async #sweepStale(): Promise<void> {
    for (const key of [...this.#stale]) {
      const entry = this.#stored.get(key);
      if (entry === undefined) this.#stale.delete(key);
      else if (!this.#isUsed(entry))
        await this.#remove(entry, 'stale', { reason: 'nothing asks for it any more' });
    }
  }

  #miss(key: string, { cpus }: VmShape, reason: string): void {
    this.#tell('miss', key, { cpus: String(cpus), reason });
  }

  #tell(action: TemplateAction, key: string, attributes: Readonly<Record<string, string>>): void {
    this.#options.tell(action, key, attributes);
    this.#options.log.info(`template ${action}`, { template: key, ...attributes });
  }

  #inBackground(failure: string, work: () => Promise<void>): void {
    if (this.#closing.signal.aborted) return;
    const done = work()
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#options.log.error(failure, error);
      })
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }
}

function unsupported(): A3sError {
  return new A3sError('unsupported-option', 'Cannot make templates: the engine makes none here', {
    remedy: 'a3s-box info shows what this host can do.',
  });
}
