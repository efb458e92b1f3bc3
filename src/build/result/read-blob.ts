/**
 * Reads a blob out of a builder. Nothing of it is verified here: a builder is not trusted, and who
 * reads compares size and digest.
 *
 * @module
 */
import { unlessAborted } from '../../async/unless-aborted.ts';
import { ByteReader } from '../../images/byte-reader.ts';
import { readTar } from '../../images/tar/read-tar.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Builder } from '../builder.ts';
import { failed } from '../relay/upgrade.ts';

/** Longest time without a byte. */
const STALL_MS = 120_000;

/**
 * The content, as it comes.
 *
 * @throws A3sError `builder-failed` where the builder does not have it, or sends nothing for two
 *   minutes; `invalid-image` for an archive that is none; the signal's reason
 */
export async function* readBlob(
  builder: Builder,
  digest: Digest,
  signal: AbortSignal,
  stallMs = STALL_MS,
): AsyncGenerator<Uint8Array, void, void> {
  const pace = new Pace(signal, stallMs, digest);
  let reader: ByteReader | undefined;
  try {
    const archive = await pace.within(builder.blobArchive(digest, pace.signal));
    reader = new ByteReader(pace.paced(archive), `blob ${digest} of the builder`);
    for await (const { type, body } of readTar(reader, 1)) {
      if (type !== 'file') break;
      yield* body;
      return;
    }
    throw failed(`it has no file for the blob ${digest}`);
  } finally {
    pace.end();
    await reader?.close();
  }
}

/** Aborts where one wait takes too long. The time of their reader does not count. */
class Pace {
  readonly signal: AbortSignal;
  readonly #stalled = new AbortController();
  readonly #ms: number;
  readonly #digest: Digest;

  constructor(signal: AbortSignal, ms: number, digest: Digest) {
    this.signal = AbortSignal.any([signal, this.#stalled.signal]);
    this.#ms = ms;
    this.#digest = digest;
  }

  async within<T>(waiting: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#stalled.abort(
        failed(`nothing of the blob ${this.#digest} came for ${this.#ms / 1000} seconds`),
      );
    }, this.#ms);
    try {
      return await unlessAborted(waiting, this.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async *paced(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    const source = archive[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.within(source.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  /** The rest of the archive is not wanted. */
  end(): void {
    this.#stalled.abort();
  }
}
