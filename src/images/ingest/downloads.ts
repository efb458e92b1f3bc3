/**
 * Downloads of blobs into the store: each blob is fetched once, however many pulls want it.
 *
 * A second pull of a blob waits for the first. When the first fails, is aborted or hardly moves,
 * one of the waiting pulls fetches the blob from its own source. So another pull, even one from a
 * hostile registry, hardly ever makes a pull worse.
 *
 * @module
 */

import { unlessAborted } from '../../async/unless-aborted.ts';
import { A3sError, MirrorError } from '../../errors.ts';
import { corrupt } from '../../oci/corrupt.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Blobs } from '../content/blobs.ts';
import type { StagedFile, Staging } from '../content/staging.ts';

/** Each starts from the first byte, and leaves what it has on disk until the pull ends. */
const MAX_ATTEMPTS = 3;

export interface Download {
  readonly digest: Digest;
  readonly size: number;
  readonly open: () => AsyncIterable<Uint8Array>;
  readonly staging: Staging;
  readonly signal: AbortSignal;
  readonly onBytes: (current: number) => void;
  /** All bytes are here. */
  readonly onVerify: () => void;
}

export type Fetched = StagedFile & { readonly how: 'there' | 'shared' | 'downloaded' };

/** Others wait for a download only while this many bytes arrive in this time. */
export interface CompanyLimits {
  readonly milliseconds: number;
  readonly bytes: number;
}

const COMPANY: CompanyLimits = { milliseconds: 30_000, bytes: 1024 * 1024 };

interface Running {
  readonly size: number;
  /** Bytes that came. */
  current: number;
  /** Whether it is in the store now. */
  readonly done: Promise<boolean>;
  readonly listeners: Set<(current: number) => void>;
}

export class Downloads {
  readonly #blobs: Blobs;
  readonly #company: CompanyLimits;
  readonly #running = new Map<Digest, Running>();

  constructor(blobs: Blobs, company = COMPANY) {
    this.#blobs = blobs;
    this.#company = company;
  }

  /**
   * The blob in the store, which the caller has pinned: found there, or fetched, verified and
   * published.
   *
   * @throws A3sError `invalid-image` for other bytes than the digest says, `disk-full`, or what the
   * source throws
   */
  async fetch(download: Download): Promise<Fetched> {
    const { digest, size, signal, onBytes } = download;
    const file = { digest, size, path: this.#blobs.path(digest) };
    for (;;) {
      signal.throwIfAborted();
      const running = this.#running.get(digest);
      if (running === undefined) return { ...file, how: await this.#start(download) };
      running.listeners.add(onBytes);
      try {
        if (await this.#follow(running, signal)) return { ...file, how: 'shared' };
      } finally {
        running.listeners.delete(onBytes);
      }
      signal.throwIfAborted();
      // Of the pulls that stop waiting, one starts its own download and the others wait for that
      // one.
      if (this.#running.get(digest) === running) this.#running.delete(digest);
    }
  }

  /**
   * Whether the blob is in the store in the end; false as soon as the download hardly moves, or
   * nobody waits.
   */
  async #follow(running: Running, signal: AbortSignal): Promise<boolean> {
    const { milliseconds, bytes } = this.#company;
    let stop: () => void = () => undefined;
    const stopped = new Promise<false>((resolve) => {
      stop = () => resolve(false);
    });
    let before = running.current;
    const clock = setInterval(() => {
      // Once all bytes have arrived, only the write to the disk remains.
      if (running.current - before < bytes && running.current < running.size) stop();
      before = running.current;
    }, milliseconds);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([running.done, stopped]);
    } finally {
      clearInterval(clock);
      signal.removeEventListener('abort', stop);
    }
  }

  async #start(download: Download): Promise<'there' | 'downloaded'> {
    const { digest, size, onBytes } = download;
    const listeners = new Set([onBytes]);
    const work = this.#blobs
      .has(digest, size)
      .then(async (isThere): Promise<'there' | 'downloaded'> => {
        if (isThere) return 'there';
        await this.#download(download, (current) => {
          running.current = current;
          for (const listener of listeners) listener(current);
        });
        return 'downloaded';
      })
      .finally(() => {
        if (this.#running.get(digest) === running) this.#running.delete(digest);
      });
    const done = work.then(
      () => true,
      () => false,
    );
    const running: Running = { done, listeners, size, current: 0 };
    this.#running.set(digest, running);
    return await work;
  }

  async #download(download: Download, onBytes: (current: number) => void): Promise<void> {
    const { digest, size, onVerify } = download;
    const staged = await stage(download, onBytes);
    onVerify();
    if (staged.size !== size) {
      throw corrupt(
        `blob ${digest}`,
        `it has ${staged.size} bytes, and its descriptor says ${size}`,
      );
    }
    if (staged.digest !== digest) {
      throw corrupt(`blob ${digest}`, `its content has the digest ${staged.digest}`);
    }
    await this.#blobs.add([staged]);
  }
}

/** Starts again where a mirror gave wrong bytes: another source is asked then. */
async function stage(download: Download, onBytes: (current: number) => void): Promise<StagedFile> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await download.staging.add(bounded(download, onBytes));
    } catch (error) {
      if (!(error instanceof MirrorError) || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

/** At most as many bytes as the descriptor says, until the pull is aborted. */
async function* bounded(
  { digest, size, open, signal }: Download,
  onBytes: (current: number) => void,
): AsyncGenerator<Uint8Array> {
  const source = open()[Symbol.asyncIterator]();
  let current = 0;
  let ended = false;
  try {
    for (;;) {
      const next = await unlessAborted(source.next(), signal);
      if (next.done === true) break;
      current += next.value.length;
      if (current > size) {
        throw new A3sError(
          'too-large',
          `Cannot read blob ${digest}: it is longer than the ${size} bytes that its descriptor says`,
        );
      }
      yield next.value;
      onBytes(current);
    }
    ended = true;
  } finally {
    // A source that hangs would not end by itself.
    if (!ended) source.return?.().catch(() => undefined);
  }
}
