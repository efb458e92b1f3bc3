/**
 * Uploads blobs to a registry (distribution-spec 1.1, "Pushing blobs").
 *
 * A blob is sent in one request, since every registry accepts that. After a cut, or where a proxy
 * bounds the size of a request, the upload continues in chunks from the offset that the registry
 * reports.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { Attempts, Cut, isCut } from '../exchange/attempts.ts';
import { contentLength, exchangeHead } from '../exchange/exchange.ts';
import { broken, type RepositoryContext } from '../exchange/repository-context.ts';
import { checkDigestHeader } from '../manifests/manifests.ts';
import type { BlobDescriptor, Repository } from '../registry.ts';
import { mountBlob } from './blob-upload-mount.ts';
import {
  askUpload,
  cancelUpload,
  endOfRange,
  moved,
  PASSING_FAILURES,
  requireWorking,
  type StartedUpload,
  startUpload,
  withDigest,
} from './started-upload.ts';

type PutBlob = Parameters<Repository['putBlob']>;
type UploadOptions = NonNullable<PutBlob[2]>;

const MiB = 1024 * 1024;
/**
 * Each size is tried when requests of the size before are refused. The first is for the rest after
 * a cut.
 */
const CHUNKS = [64 * MiB, 16 * MiB, 4 * MiB, MiB];
/**
 * Bound on the chunks of one upload of which a registry keeps a part only. Otherwise one byte of
 * each would count as progress for ever.
 */
const MAX_PARTS = 64;

export async function hasBlob(
  context: RepositoryContext,
  digest: Digest,
  size?: number,
): Promise<boolean> {
  const what = `blob ${digest} of ${context.name}`;
  const { status, headers } = await exchangeHead(
    context,
    { method: 'HEAD', target: `${context.path}/blobs/${digest}`, expected: [200, 404] },
    what,
  );
  if (status === 404) return false;
  checkDigestHeader(headers, digest, what);
  return size === undefined || (contentLength(headers, what) ?? size) === size;
}

/**
 * @throws what `open` throws; A3sError `registry-failed` when the registry does not keep what it
 * was sent
 */
export async function uploadBlob(
  context: RepositoryContext,
  descriptor: BlobDescriptor,
  open: PutBlob[1],
  options: UploadOptions = {},
): Promise<'there' | 'mounted' | 'uploaded'> {
  if (await hasBlob(context, descriptor.digest, descriptor.size)) return 'there';
  const mounted = await mountBlob(context, descriptor.digest, options.mountFrom ?? []);
  if (mounted.from !== undefined) {
    options.onMounted?.(mounted.from);
    return 'mounted';
  }
  await new Upload(context, descriptor, open, options.onProgress).run(mounted.upload);
  return 'uploaded';
}

class Upload {
  readonly #context: RepositoryContext;
  readonly #descriptor: BlobDescriptor;
  readonly #open: PutBlob[1];
  readonly #onProgress: ((sent: number) => void) | undefined;
  readonly #what: string;
  /** Index in `CHUNKS` of the size in use. */
  #chunk = 0;
  /** Whether requests of unbounded size are still tried. */
  #whole = true;
  /** Whether the upload was resumed at the offset that the registry reported. */
  #resumed = false;
  /** Chunks of which the registry kept a part. */
  #parts = 0;
  /** Cuts without progress. */
  #barren = 0;
  /** Why the blob's own bytes cannot be read. */
  #unreadable: { readonly error: unknown } | undefined;

  constructor(
    context: RepositoryContext,
    descriptor: BlobDescriptor,
    open: PutBlob[1],
    onProgress: ((sent: number) => void) | undefined,
  ) {
    this.#context = context;
    this.#descriptor = descriptor;
    this.#open = open;
    this.#onProgress = onProgress;
    this.#what = `upload of blob ${descriptor.digest} to ${context.name}`;
  }

  async run(started: StartedUpload | undefined): Promise<void> {
    const { digest, size } = this.#descriptor;
    const attempts = new Attempts(this.#context.retryLimits, size, this.#context.signal);
    let upload = started;
    let best = 0;
    for (;;) {
      try {
        upload ??= await startUpload(this.#context, this.#what);
        await this.#finish(await this.#sendChunks(upload));
        return;
      } catch (error) {
        if (this.#unreadable !== undefined) throw this.#unreadable.error;
        if (!isCut(error)) throw error;
        const failure = error instanceof UploadFailure ? error : undefined;
        const reached: StartedUpload | undefined =
          upload === undefined || failure?.restart === true ? undefined : await this.#ask(upload);
        const offset = reached?.offset ?? 0;
        const progressed = offset > best || failure?.learned === true;
        if (!progressed) this.#suspectSize();
        await attempts.next(error, { progressed });
        best = Math.max(best, offset);
        // Perhaps only the answer was lost.
        if (await hasBlob(this.#context, digest, size)) return;
        upload = reached;
        this.#resumed = reached !== undefined;
      }
    }
  }

  /** Uploads until one last request completes the blob. */
  async #sendChunks(start: StartedUpload): Promise<StartedUpload> {
    const { size } = this.#descriptor;
    let upload = start;
    if (upload.offset === 0 && this.#whole) return upload;
    while (upload.offset < size) upload = await this.#sendChunk(upload);
    return upload;
  }

  async #sendChunk(upload: StartedUpload): Promise<StartedUpload> {
    const { offset, minChunk, location } = upload;
    const length = Math.min(
      Math.max(CHUNKS[this.#chunk] ?? MiB, minChunk),
      this.#descriptor.size - offset,
    );
    const head = await exchangeHead(
      this.#context,
      {
        method: 'PATCH',
        target: location,
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': String(length),
          'content-range': `${offset}-${offset + length - 1}`,
        },
        body: () => this.#read(offset, length),
        expected: [201, 202, 204, 404, 413, 416, ...PASSING_FAILURES],
      },
      this.#what,
    );
    requireWorking(head, this.#what);
    if (head.status === 413) return await this.#refusedSize(upload);
    if (head.status === 404) throw forgotten(this.#what);
    if (head.status === 416) throw new Cut(this.#what, 'the registry is at another byte');
    const reached = endOfRange(head.headers, this.#what) ?? offset + length;
    if (reached <= offset || reached > offset + length) {
      const sent = `bytes ${offset} to ${offset + length}`;
      throw broken(this.#what, `the registry was sent ${sent}, and says it has ${reached}`);
    }
    if (reached < offset + length) this.#parts += 1;
    if (this.#parts > MAX_PARTS) {
      throw broken(this.#what, `the registry keeps parts of chunks again and again`);
    }
    return moved(upload, head, reached, this.#what);
  }

  /** Completes the upload: with an empty body, or with all of the blob. */
  async #finish(upload: StartedUpload): Promise<void> {
    const { digest, size } = this.#descriptor;
    const left = size - upload.offset;
    const head = await exchangeHead(
      this.#context,
      {
        method: 'PUT',
        target: withDigest(upload.location, digest),
        headers: { 'content-type': 'application/octet-stream', 'content-length': String(left) },
        body: left === 0 ? Buffer.alloc(0) : () => this.#read(upload.offset, left),
        // A registry that resumed at a wrong byte answers 400 or 416: the blob is then sent from
        // its start.
        expected: [
          200,
          201,
          204,
          404,
          413,
          ...PASSING_FAILURES,
          ...(this.#resumed ? [400, 416] : []),
        ],
      },
      this.#what,
    );
    requireWorking(head, this.#what);
    switch (head.status) {
      case 404:
        throw forgotten(this.#what);
      case 400:
      case 416:
        throw new UploadFailure(this.#what, 'the registry cannot use what it got before the cut', {
          restart: true,
          learned: false,
        });
      case 413:
        await this.#refusedSize(upload);
        return;
    }
    checkDigestHeader(head.headers, digest, this.#what);
  }

  /** Goes on with smaller requests. */
  async #refusedSize(upload: StartedUpload): Promise<never> {
    if (this.#whole) this.#whole = false;
    else this.#chunk += 1;
    const chunk = CHUNKS[this.#chunk];
    if (chunk === undefined || upload.minChunk > chunk) {
      throw new A3sError('registry-failed', `Cannot finish the ${this.#what}: it is too large`, {
        remedy: 'Raise the size of requests that the registry, or a proxy before it, accepts.',
      });
    }
    const restart = upload.offset === 0;
    if (restart) await cancelUpload(this.#context, upload, this.#what);
    throw new UploadFailure(this.#what, 'requests of this size are refused', {
      restart,
      learned: true,
    });
  }

  /** A server that refuses large requests may cut the connection before it answers. */
  #suspectSize(): void {
    this.#barren += 1;
    if (this.#barren % 2 !== 0) return;
    if (this.#whole) this.#whole = false;
    else this.#chunk = Math.min(this.#chunk + 1, CHUNKS.length - 1);
  }

  /**
   * The registry's offset; undefined when it cannot be found out, so that the upload starts anew.
   */
  async #ask(upload: StartedUpload): Promise<StartedUpload | undefined> {
    try {
      return await askUpload(this.#context, upload, this.#descriptor.size, this.#what);
    } catch (error) {
      if (!isCut(error)) throw error;
      return undefined;
    }
  }

  /** Exactly so many bytes of the blob. */
  async *#read(offset: number, length: number): AsyncGenerator<Uint8Array> {
    let left = length;
    for await (const chunk of this.#source(offset)) {
      const part = chunk.subarray(0, left);
      left -= part.length;
      yield part;
      this.#onProgress?.(offset + length - left);
      if (left === 0) return;
    }
  }

  /**
   * Separate from its reader, into which a cut connection throws errors that say nothing about the
   * blob.
   */
  async *#source(offset: number): AsyncGenerator<Uint8Array> {
    const { digest, size } = this.#descriptor;
    let position = offset;
    try {
      for await (const chunk of this.#open(offset)) {
        position += chunk.length;
        yield chunk;
      }
      throw new A3sError(
        'state-unusable',
        `Cannot push blob ${digest}: it ends after ${position} of ${size} bytes`,
        { remedy: 'Its file is damaged: remove the image, and pull or load it again.' },
      );
    } catch (error) {
      this.#unreadable = { error };
      throw error;
    }
  }
}

/** A failure that another attempt can overcome. */
class UploadFailure extends Cut {
  /** Whether the upload has to start anew. */
  readonly restart: boolean;
  /** Whether the next attempt differs from this one. */
  readonly learned: boolean;

  constructor(
    what: string,
    why: string,
    { restart, learned }: { readonly restart: boolean; readonly learned: boolean },
  ) {
    super(what, why);
    this.restart = restart;
    this.learned = learned;
  }
}

function forgotten(what: string): UploadFailure {
  const why = 'the registry has forgotten it';
  return new UploadFailure(what, why, { restart: true, learned: false });
}
