/**
 * An image in memory, to be taken into a store.
 *
 * @module
 */

import { type Digest, digestOf } from '../../oci/digest.ts';
import type { Attachment } from '../attachments/attachment.ts';
import type { ImageSource, Origin, StoredDocument } from '../image.ts';
import type { BuiltImage } from './build-image.ts';

export interface MemorySourceOptions {
  readonly names: readonly string[];
  readonly indexes?: readonly StoredDocument[];
  readonly attachments?: readonly Attachment[];
  readonly origin?: Origin;
  readonly signal?: AbortSignal;
  /** Instead of the image's own. */
  readonly manifest?: Buffer;
  /** Every blob waits for it. */
  readonly before?: Promise<void>;
  readonly stream?: (digest: Digest, bytes: Buffer) => AsyncIterable<Uint8Array>;
}

export class MemorySource implements ImageSource {
  readonly manifest: StoredDocument;
  readonly indexes: readonly StoredDocument[];
  readonly names: readonly string[];
  readonly origin: Origin;
  readonly attachments?: readonly Attachment[];
  readonly signal?: AbortSignal;
  /** Blobs that were opened, in order. */
  readonly opened: Digest[] = [];
  readonly #blobs = new Map<string, Buffer>();
  readonly #options: MemorySourceOptions;

  constructor(image: BuiltImage, options: MemorySourceOptions) {
    const { digest, mediaType } = image.manifest;
    this.manifest = documentOf(
      mediaType,
      options.manifest ?? image.blobs.get(digest) ?? Buffer.alloc(0),
    );
    this.#options = options;
    this.names = options.names;
    this.origin = options.origin ?? { kind: 'pull', at: '2026-01-01T00:00:00.000Z' };
    this.indexes = options.indexes ?? [];
    if (options.attachments !== undefined) this.attachments = options.attachments;
    if (options.signal !== undefined) this.signal = options.signal;
    this.add(image);
  }

  /** Adds the blobs of a further image. */
  add(image: BuiltImage): void {
    for (const [digest, bytes] of image.blobs) this.#blobs.set(digest, bytes);
  }

  async *blob({ digest }: { readonly digest: Digest }): AsyncGenerator<Uint8Array> {
    this.opened.push(digest);
    await this.#options.before;
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) throw new RangeError(`there is no ${digest}`);
    if (this.#options.stream !== undefined) yield* this.#options.stream(digest, bytes);
    else yield bytes;
  }
}

export function documentOf(mediaType: string, bytes: Buffer): StoredDocument {
  return { digest: digestOf(bytes), mediaType, bytes };
}
