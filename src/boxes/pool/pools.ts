/**
 * All pools of a home. They are filled in the background, one microVM at a time, while nothing else
 * goes on. They are emptied when the server ends.
 *
 * @module
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { unlessAborted } from '../../async/unless-aborted.ts';
import { availableBytes } from '../../engine/memory.ts';
import { A3sError } from '../../errors.ts';
import type { BoxDefinition } from '../record/box.ts';
import { takenUids } from '../record/taken-uids.ts';
import type { Services } from '../services/services.ts';
import { checkPool, noSuchPool, type PoolDefinition, poolMemory, sameShape } from './definition.ts';
import { reasonAgainst, reasonAgainstPod } from './fit.ts';
import { Pool } from './pool.ts';
import { endPooled, fillOne, type Host, isExpired, newVmId, poolsDirectory } from './pooled-vm.ts';
import type { PoolRecords } from './records.ts';
import type { PoolableParts, PoolablePod, PooledVm, PoolSummary, VmPools } from './vm-pools.ts';

/** How often the age of the microVMs is checked. */
const LOOK_MS = 60_000;
/**
 * A fill waits for this long after a microVM was taken: a box with a short run is over by then, and
 * need not share the host with the fill.
 */
const QUIET_MS = 250;
/**
 * A fill waits no longer than this for other work, such as a copy of the files of a box that does
 * not run.
 */
const BUSY_MS = 60_000;
const NONE_READY = 'it has no microVM ready';

export type PoolsHost = Host & Pick<Services, 'events' | 'host' | 'locks'>;

export class Pools implements VmPools {
  readonly #host: PoolsHost;
  readonly #records: PoolRecords;
  readonly #busyMs: number;
  readonly #pools = new Map<string, Pool>();
  readonly #closing = new AbortController();
  /** User ids of microVMs that are neither ready nor a box's. */
  readonly #reserved = new Set<number>();
  readonly #ending = new Set<Promise<void>>();
  #work: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #open = false;
  /** When a microVM was taken last, by the monotonic clock. */
  #taken = -QUIET_MS;

  /** @param busyMs how long a fill waits for other work */
  constructor(host: PoolsHost, records: PoolRecords, busyMs = BUSY_MS) {
    this.#host = host;
    this.#busyMs = busyMs;
    this.#records = records;
    for (const definition of records.list()) {
      this.#pools.set(definition.name, new Pool(definition));
    }
  }

  async open(): Promise<void> {
    const directory = poolsDirectory(this.#host.home);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { mode: 0o700 });
    this.#open = true;
    this.#look();
  }

  list(): PoolSummary[] {
    return [...this.#pools.values()].map(summary).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  inspect(name: string): PoolSummary {
    return summary(this.#expect(name));
  }

  async set(definition: PoolDefinition): Promise<PoolSummary> {
    const { name } = definition;
    const others = this.#records.list().filter((each) => each.name !== name);
    checkPool(definition, others, this.#host.host);
    if (!this.#host.templates.enabled) {
      throw new A3sError('unsupported-option', 'Cannot have pools: templates are switched off', {
        remedy: 'Start the server without A3S_TEMPLATES=off.',
      });
    }
    await this.#checkRoom(definition);
    const before = this.#pools.get(name);
    const pool = before ?? new Pool(definition);
    this.#records.put(definition);
    pool.definition = definition;
    this.#pools.set(name, pool);
    this.#tell(before === undefined ? 'create' : 'update', pool, {});
    // At once, since a caller that waits for a full pool waits for microVMs of the new shape.
    for (const each of [...pool.ready]) {
      if (!sameShape(each.shape, definition)) void this.#end(pool, each, 'stale');
    }
    pool.tryAtOnce();
    this.#look();
    return summary(pool);
  }

  async full(name: string, signal: AbortSignal): Promise<PoolSummary> {
    const pool = this.#expect(name);
    await pool.full(AbortSignal.any([signal, this.#closing.signal]));
    return summary(pool);
  }

  async remove(name: string): Promise<void> {
    const pool = this.#expect(name);
    this.#records.remove(name);
    this.#pools.delete(name);
    pool.removed = true;
    await Promise.all(pool.ready.map((each) => this.#end(pool, each, 'removed')));
    pool.changed();
    this.#tell('remove', pool, {});
    this.#look();
  }

  take(definition: BoxDefinition, parts: PoolableParts): PooledVm | undefined {
    if (this.#closing.signal.aborted) return undefined;
    const reasons: Record<string, string> = {};
    for (const pool of this.#pools.values()) {
      const { name } = pool.definition;
      const against = reasonAgainst(pool.definition, definition, parts);
      const pooled = this.#readyFor(pool, definition);
      if (against === undefined && pooled !== undefined) {
        this.#give(pool, pooled, { box: definition.id });
        return pooled;
      }
      reasons[name] = against ?? NONE_READY;
      if (against === undefined && pool.definition.size > 0) {
        this.#tell('miss', pool, { box: definition.id });
      }
    }
    if (this.#pools.size > 0) {
      this.#host.log.info('a box comes from no pool', { box: definition.id, reasons });
    }
    return undefined;
  }

  takeForPod(
    pod: PoolablePod,
    record: (pooled: PooledVm) => void,
  ): ReturnType<VmPools['takeForPod']> {
    const reasons: Record<string, string> = {};
    if (this.#closing.signal.aborted) return { reasons };
    for (const pool of this.#pools.values()) {
      const { name, pods, size } = pool.definition;
      if (!pods) continue;
      const against = reasonAgainstPod(pool.definition, pod);
      const pooled = this.#readyFor(pool, pod);
      if (against === undefined && pooled !== undefined) {
        record(pooled);
        this.#give(pool, pooled, { pod: pooled.vm.id });
        return { pooled };
      }
      reasons[name] = against ?? NONE_READY;
      if (against === undefined && size > 0) this.#tell('miss', pool, {});
    }
    return { reasons };
  }

  #readyFor(pool: Pool, { bootSet }: { readonly bootSet: string }): PooledVm | undefined {
    return pool.ready.find((each) => each.bootSet === bootSet && this.#isFit(pool, each));
  }

  #give(pool: Pool, pooled: PooledVm, to: Readonly<Record<string, string>>): void {
    pool.takeOut(pooled);
    this.#taken = performance.now();
    this.#tell('take', pool, { ...to, machine: pooled.vm.id });
    this.#look();
  }

  uids(): number[] {
    const ready = [...this.#pools.values()].flatMap((pool) => pool.ready);
    return [...this.#reserved, ...ready.map(({ identity }) => identity.uid)];
  }

  async close(): Promise<void> {
    this.#closing.abort(new A3sError('internal', 'The server is stopping'));
    clearTimeout(this.#timer);
    await this.#work;
    for (const pool of this.#pools.values()) {
      const ready = [...pool.ready];
      if (ready.length > 0) this.#tell('drain', pool, { machines: String(ready.length) });
      for (const each of ready) void this.#end(pool, each, 'drained');
    }
    await Promise.all(this.#ending);
    if (this.#open) await rm(poolsDirectory(this.#host.home), { recursive: true, force: true });
  }

  #expect(name: string): Pool {
    const pool = this.#pools.get(name);
    if (pool === undefined) throw noSuchPool(name);
    return pool;
  }

  /**
   * Checks the room for what is missing now, and for what this pool would lack. A microVM may come
   * to need all of its memory.
   */
  async #checkRoom(definition: PoolDefinition): Promise<void> {
    let bytes = 0;
    const pools = [...this.#pools.values()].filter(
      (pool) => pool.definition.name !== definition.name,
    );
    for (const pool of pools) bytes += pool.missing * poolMemory(pool.definition);
    const before = this.#pools.get(definition.name);
    const kept = (before?.ready ?? []).filter(({ shape }) => sameShape(shape, definition)).length;
    const more = Math.max(0, definition.size - kept);
    bytes += more * poolMemory(definition);
    const available = availableBytes(await readFile('/proc/meminfo', 'utf8'));
    if (more === 0 || available === undefined || bytes <= available) return;
    const mebibytes = (value: number): string => `${Math.floor(value / 2 ** 20)} MiB`;
    throw new A3sError(
      'out-of-memory',
      `Cannot fill the pool: its microVMs may come to need ${mebibytes(bytes)}, and the host has ${mebibytes(available)} available`,
      { remedy: 'Choose a smaller --size, or less memory with -m.' },
    );
  }

  /**
   * Whether the microVM has the present shape of the pool, and its template is neither too old nor
   * removed.
   */
  #isFit({ definition }: Pool, pooled: PooledVm): boolean {
    const { key } = pooled.taken.template;
    const kept = this.#host.templates.list().some((each) => each.key === key);
    return sameShape(pooled.shape, definition) && !isExpired(pooled) && kept;
  }

  /** Has the background work run, or run again. */
  #look(): void {
    if (!this.#open || this.#closing.signal.aborted) return;
    this.#again = true;
    this.#work ??= this.#doAll().finally(() => {
      this.#work = undefined;
      if (this.#again) this.#look();
    });
  }

  async #doAll(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#again && !this.#closing.signal.aborted) {
      this.#again = false;
      try {
        await this.#endUnfit();
        const lacking = this.#lacking();
        if (lacking === undefined) continue;
        await this.#quiet();
        if (lacking.missing > 0) await this.#fill(lacking);
        this.#again = true;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#host.log.error('pools could not be looked after', error);
      }
    }
    if (this.#closing.signal.aborted) return;
    const pauses = [...this.#pools.values()].flatMap((pool) =>
      pool.missing > 0 ? [pool.pause(performance.now())] : [],
    );
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.min(LOOK_MS, ...pauses)));
    this.#timer.unref();
  }

  /**
   * Waits, within bounds, until no box is being started, and until none has just taken a microVM of
   * a pool.
   */
  async #quiet(): Promise<void> {
    const { signal } = this.#closing;
    const waited = new AbortController();
    const ended = AbortSignal.any([signal, waited.signal]);
    const busy = delay(this.#busyMs, undefined, { signal: ended }).catch(() => undefined);
    try {
      await this.#quietWithin(busy, signal);
    } finally {
      waited.abort();
    }
  }

  async #quietWithin(busy: Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      await unlessAborted(Promise.race([this.#host.locks.idle(), busy]), signal);
      const left = this.#taken + QUIET_MS - performance.now();
      if (left <= 0) return;
      await delay(left, undefined, { signal });
    }
  }

  /** The pool that lacks the most microVMs. */
  #lacking(): Pool | undefined {
    const now = performance.now();
    return [...this.#pools.values()]
      .filter((pool) => pool.missing > 0 && pool.pause(now) === 0)
      .sort((a, b) => b.missing - a.missing)[0];
  }

  /**
   * Ends those of another shape or of another boot set than the present one, those whose templates
   * are gone or too old, and those that are too many.
   */
  async #endUnfit(): Promise<void> {
    const ready = [...this.#pools.values()].some((pool) => pool.ready.length > 0);
    if (!ready) return;
    const bootSet = await this.#host.boot.current();
    for (const pool of this.#pools.values()) {
      for (const each of [...pool.ready]) {
        if (each.bootSet === bootSet && this.#isFit(pool, each)) continue;
        void this.#end(pool, each, 'stale');
      }
      for (const each of pool.ready.slice(pool.definition.size))
        void this.#end(pool, each, 'surplus');
    }
  }

  async #fill(pool: Pool): Promise<void> {
    const { definition } = pool;
    const identity = this.#host.identityFor(takenUids({ ...this.#host, pools: this }));
    const since = performance.now();
    this.#reserved.add(identity.uid);
    pool.filling = true;
    try {
      const id = newVmId();
      const pooled = await fillOne(this.#host, definition, { id, identity }, this.#closing.signal);
      // The pool may have been removed or given another shape meanwhile.
      if (pool.removed || !sameShape(definition, pool.definition)) {
        return await endPooled(this.#host, pooled);
      }
      pool.filled(pooled);
      void pooled.vm.exited.then(() => this.#onOrphaned(pool, pooled));
      void pooled.guest.closed.then(() => this.#onOrphaned(pool, pooled));
      const milliseconds = String(Math.round(performance.now() - since));
      this.#tell('fill', pool, { machine: id, milliseconds });
    } catch (error) {
      if (this.#closing.signal.aborted) throw error;
      this.#host.log.error('a microVM for a pool could not be started', error, {
        pool: definition.name,
      });
      const reason = error instanceof Error ? error.message : String(error);
      const failure =
        error instanceof A3sError ? error : new A3sError('internal', reason, { cause: error });
      pool.failed(failure, performance.now());
      this.#tell('fail', pool, { reason: reason.slice(0, 512) });
    } finally {
      pool.filling = false;
      this.#reserved.delete(identity.uid);
    }
  }

  /**
   * Called for a microVM that ended by itself, or whose agent cannot be reached. The microVM of a
   * box is not handled here.
   */
  #onOrphaned(pool: Pool, pooled: PooledVm): void {
    if (!pool.ready.includes(pooled)) return;
    pool.failed(
      new A3sError('vmm-failed', 'A microVM of the pool ended by itself'),
      performance.now(),
    );
    void this.#end(pool, pooled, 'lost').then(() => this.#look());
  }

  /** Takes the microVM out of the pool and ends it. It is gone when this settles. Never rejects. */
  #end(pool: Pool, pooled: PooledVm, reason: string): Promise<void> {
    if (!pool.takeOut(pooled)) return Promise.resolve();
    const { uid } = pooled.identity;
    const { id } = pooled.vm;
    this.#reserved.add(uid);
    this.#tell('end', pool, { machine: id, reason });
    const ended = endPooled(this.#host, pooled)
      .catch((error: unknown) => {
        this.#host.log.error('a microVM of a pool could not be ended', error, { machine: id });
      })
      .finally(() => {
        this.#reserved.delete(uid);
        this.#ending.delete(ended);
      });
    this.#ending.add(ended);
    return ended;
  }

  #tell(action: string, { definition }: Pool, more: Readonly<Record<string, string>>): void {
    const { name, size } = definition;
    this.#host.events.publish('pool', action, name, { name, size: String(size), ...more });
  }
}

function summary(pool: Pool): PoolSummary {
  const { definition, ready, missing, failure } = pool;
  const lacks = failure === undefined ? 'filling' : 'failing';
  return {
    ...definition,
    machineBytes: poolMemory(definition),
    ready: ready.length,
    state: missing === 0 ? 'full' : lacks,
    error: failure?.message ?? '',
    pids: ready.map(({ vm: pooled }) => pooled.pid),
  };
}
