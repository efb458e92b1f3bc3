/**
 * Tells a running box what programs of the host change in its bind mounts, so that its own watchers
 * see it.
 *
 * Only bind mounts that the box may write to: the guest's kernel reports a change by setting a
 * time, which a read-only share refuses.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { openWithoutLinks } from '../../engine/helpers/open-without-links.ts';
import type { ShareChange } from '../../guest/protocol.ts';
import type { Box } from '../record/box.ts';
import type { RunningBox } from '../run/running-box.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { bindTag } from '../spec/bind-tag.ts';
import { EventRate, type Walked } from './event-rate.ts';
import { type InotifyQueue, inotifyQueue } from './inotify-queue.ts';
import { type ShareListener, ShareWatch } from './share-watch.ts';

/** What watching needs of the server. */
type WatchHost = Pick<Services, 'events' | 'log' | 'store'>;

/** What it needs of the box. */
type WatchedBox = Pick<RunningBox, 'id' | 'signal' | 'guest'>;

interface WatchOptions {
  readonly settleMs?: number;
  readonly rate?: EventRate;
  readonly queue?: InotifyQueue;
}

/** The protocol's version that brought reports of changes. */
const PROTOCOL = 8;
/** A box that ends within this time has none of its directories walked. */
const SETTLE_MS = 1000;
/** How long changes are gathered before they are looked at. */
const GATHER_MS = 50;
/** The most paths of one report, and the pause after it. */
const REPORT = { paths: 256, pauseMs: 100 };
/**
 * The same when this number of reports have followed each other, as those of a box that writes
 * without pause do.
 */
const MANY_REPORTS = 20;
const ONE_OF_MANY = { paths: 64, pauseMs: 500 };
/** The bytes of a report's document, of which an agent takes 64 KiB. */
const MAX_BYTES = 48 * 1024;
const MAX_DIRECTORIES = 8192;

/** Watches until the run is over. Never rejects. */
export async function watchBinds(
  rt: WatchHost,
  running: WatchedBox,
  { settleMs = SETTLE_MS, rate = new EventRate(), queue = inotifyQueue() }: WatchOptions = {},
): Promise<void> {
  const sources = sourcesOf(rt.store.get(running.id));
  if (sources.length === 0) return;
  try {
    await delay(settleMs, undefined, { signal: running.signal, ref: false });
    if (!(await running.guest()).speaks(PROTOCOL)) return;
    await new BindsWatch(rt, running, rate, queue).follow(sources);
  } catch (error) {
    if (running.signal.aborted) return;
    rt.log.error('the bind mounts of a box are not watched any more', error, { box: running.id });
  }
}

/** A bind mount as the microVM has it. */
interface Source {
  readonly tag: string;
  readonly path: string;
}

function sourcesOf(box: Box | undefined): Source[] {
  const binds = box?.definition.binds ?? [];
  return binds.flatMap(({ source, realPath, readonly }, index) =>
    readonly ? [] : [{ tag: bindTag(index), path: realPath ?? source }],
  );
}

class BindsWatch {
  readonly #rt: WatchHost;
  readonly #running: WatchedBox;
  readonly #rate: EventRate;
  readonly #queue: InotifyQueue;
  readonly #reasons = new Set<string>();
  #shares: ShareWatch[] = [];
  #isStarting = false;
  #isOverrun = false;
  #wake: () => void = () => undefined;

  constructor(rt: WatchHost, running: WatchedBox, rate: EventRate, queue: InotifyQueue) {
    this.#rt = rt;
    this.#running = running;
    this.#rate = rate;
    this.#queue = queue;
  }

  async follow(sources: readonly Source[]): Promise<void> {
    const budget = { directories: MAX_DIRECTORIES };
    const listener: ShareListener = {
      changed: () => this.#count(),
      walked: (work) => this.#countWalk(work),
      limited: (reason) => this.#limited(reason),
    };
    const { signal } = this.#running;
    const onAbort = (): void => this.#wake();
    const unfollow = this.#queue.follow(() => {
      this.#overrun('the kernel may have dropped changes: too many came at once, of all boxes');
      this.#wake();
    });
    signal.addEventListener('abort', onAbort);
    try {
      for (const { tag, path } of sources) {
        try {
          const root = await openWithoutLinks(path);
          this.#shares.push(new ShareWatch(tag, root, budget, listener));
        } catch (error) {
          this.#failed(tag, error);
        }
      }
      while (this.#shares.length > 0) {
        this.#isOverrun = false;
        await this.#start();
        await this.#reportChanges();
        await this.#pause(this.#rate.nextPause());
        for (const share of this.#shares) share.reportRoot();
      }
    } finally {
      unfollow();
      signal.removeEventListener('abort', onAbort);
      for (const share of this.#shares) await share.close();
    }
  }

  /** Leaves nothing watched when there are too many events meanwhile. */
  async #start(): Promise<void> {
    this.#isStarting = true;
    for (const share of this.#shares) {
      if (this.#isOverrun) break;
      try {
        await share.start();
      } catch (error) {
        await this.#drop(share, error);
      }
    }
    this.#isStarting = false;
    // The one that was being started may have begun after the others were stopped.
    if (this.#isOverrun) this.#stop();
  }

  /** The other shares are watched all the same. */
  async #drop(share: ShareWatch, error: unknown): Promise<void> {
    this.#shares = this.#shares.filter((other) => other !== share);
    await share.close();
    this.#failed(share.tag, error);
  }

  #failed(share: string, error: unknown): void {
    const box = this.#running.id;
    this.#rt.log.error('a bind mount of a box is not watched', error, { box, share });
    this.#limited(error instanceof Error ? error.message : String(error));
  }

  #stop(): void {
    for (const share of this.#shares) share.stop();
  }

  /** Reports what changes until there are too many events. Rejects when the run is over. */
  async #reportChanges(): Promise<void> {
    for (let reports = 0; !this.#isOverrun && this.#shares.length > 0; ) {
      if (!this.#shares.some(({ isPending }) => isPending)) {
        reports = 0;
        await this.#nextEvent();
      }
      await this.#pause(GATHER_MS);
      await this.#untilThawed();
      const share = this.#shares.find(({ isPending }) => isPending);
      if (share === undefined) continue;
      const { paths, pauseMs } = reports < MANY_REPORTS ? REPORT : ONE_OF_MANY;
      try {
        await this.#report(share, await share.take(paths));
      } catch (error) {
        this.#running.signal.throwIfAborted();
        await this.#drop(share, error);
        continue;
      }
      // The share has its turn again when the others have had theirs.
      this.#shares = [...this.#shares.filter((other) => other !== share), share];
      reports += 1;
      await this.#pause(pauseMs);
    }
  }

  async #report(share: ShareWatch, paths: readonly string[]): Promise<void> {
    for (const batch of batches(paths)) {
      const changes: ShareChange[] = batch.map((path) => ({ share: share.tag, path }));
      try {
        const guest = await this.#running.guest();
        await guest.reportChanges(changes, this.#running.signal);
      } catch (error) {
        this.#running.signal.throwIfAborted();
        for (const path of batch) share.forget(path);
        this.#rt.log.error('a box was not told of changed files', error, { box: this.#running.id });
      }
    }
  }

  #count(): void {
    this.#queue.count();
    if (this.#rate.count()) this.#overrun('too many changes at once');
    this.#wake();
  }

  /** Starts are as rare as the pauses between them allow, and count for nothing. */
  #countWalk(work: Walked): void {
    if (this.#isStarting || !this.#rate.countWalk(work)) return;
    this.#overrun('too many directories come and go');
    this.#wake();
  }

  /** Watches nothing until the next start. */
  #overrun(reason: string): void {
    if (this.#isOverrun) return;
    this.#isOverrun = true;
    this.#stop();
    this.#limited(reason);
  }

  /** Publishes each reason once. */
  #limited(reason: string): void {
    if (this.#reasons.has(reason)) return;
    this.#reasons.add(reason);
    this.#rt.log.info('not all bind mounts of a box are watched', {
      box: this.#running.id,
      reason,
    });
    const box = this.#rt.store.get(this.#running.id);
    if (box !== undefined) publish(this.#rt, box, 'watch-limited', { reason });
  }

  async #nextEvent(): Promise<void> {
    this.#running.signal.throwIfAborted();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#running.signal.throwIfAborted();
  }

  async #pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.#running.signal, ref: false });
  }

  /** What changes while the box is paused is reported when it goes on. */
  async #untilThawed(): Promise<void> {
    const { id, signal } = this.#running;
    const isPaused = (box: Box | undefined): boolean => box?.state.status === 'paused';
    if (!isPaused(this.#rt.store.get(id))) return;
    await this.#rt.store.when(id, (box) => !isPaused(box), signal);
  }
}

/**
 * Reports that an agent takes: bounded in bytes, as a path of control characters takes six times
 * its length.
 */
function batches(paths: readonly string[]): string[][] {
  const all: string[][] = [];
  let bytes = MAX_BYTES;
  for (const path of paths) {
    const size = Buffer.byteLength(JSON.stringify(path)) + 64;
    if (bytes + size > MAX_BYTES) {
      all.push([]);
      bytes = 0;
    }
    bytes += size;
    all.at(-1)?.push(path);
  }
  return all;
}
