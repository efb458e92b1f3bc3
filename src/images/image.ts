/**
 * What the rest of the runtime knows of an image.
 *
 * @module
 */

import type { ImageConfig } from '../oci/config.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import type { Attachment } from './attachments/attachment.ts';
import type { FileKind } from './erofs/image-reader.ts';
import type { ExtendOptions } from './extend/extend-options.ts';
import type { HistoryEntry } from './history/history.ts';
import type { ImportOptions } from './import/import-options.ts';
import type { PruneOptions, PruneResult } from './prune/prune-options.ts';
import type { ImageUsage } from './usage/shares.ts';

/** A layer, ready to be a disk. */
export interface BootLayer {
  /**
   * Digest of the uncompressed tar: `sha256:…`; of a text that names several, where the disk
   * depends on them.
   */
  readonly diffId: string;
  /** Absolute path of its EROFS image, mode 0400. */
  readonly path: string;
}

/** A layer as the disk of a confidential box: its dm-verity tree follows its EROFS image. */
export interface VerityLayer extends BootLayer {
  /** Bytes of the EROFS image, a multiple of 4096; the tree begins there. */
  readonly bytes: number;
  /** Root of the tree: 64 lower-case hexadecimal digits. */
  readonly root: string;
}

/** How an image came here. */
export interface Origin {
  readonly kind: 'pull' | 'load' | 'import' | 'commit' | 'build';
  /** The image's name there, as a familiar name; absent where it had no name. */
  readonly reference?: string;
  /** ISO 8601; of the last time. */
  readonly at: string;
  /** Id of the image that it was made of here, which may be gone. */
  readonly parent?: string;
  /** Of a build: the images that it asked for, with what the image policy decided. */
  readonly bases?: readonly BaseImage[];
}

/** An image that a build was permitted to use. */
export interface BaseImage {
  /** Its familiar name. */
  readonly name: string;
  readonly manifest: string;
  readonly verdict: string;
  readonly reason: string;
  /** Digest of the policy that decided. */
  readonly policy: string;
}

export interface Image {
  /** Digest of the configuration, Docker's image id: `sha256:…`. */
  readonly id: string;
  /**
   * Digest of the platform manifest: of the one that was asked for, where several manifests have
   * this configuration; else of the last one that was stored.
   */
  readonly manifestDigest: Digest;
  /**
   * Familiar `repository@sha256:…`, as pulled or pushed: an index's digest where it came through
   * one.
   */
  readonly repoDigests: readonly string[];
  /** Indexes in the store that list this manifest. */
  readonly indexDigests: readonly Digest[];
  /** How this manifest came here, latest first. */
  readonly origins: readonly Origin[];
  /** Familiar names, such as `busybox:latest`; empty for an untagged image. */
  readonly tags: readonly string[];
  readonly architecture: string;
  readonly os: string;
  readonly created: string;
  readonly author: string;
  /** Bytes of configuration and compressed layers. */
  readonly size: number;
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
}

/** A manifest or an index: exactly the bytes that the digest is of. */
export interface StoredDocument {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** A blob that can be read from any offset, to send it on. */
export interface ContentBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  open(offset: number): AsyncIterable<Uint8Array>;
}

/** All parts of an image that a registry needs. */
export interface ImageContent {
  readonly manifest: StoredDocument;
  /** Configuration first, then the layers, lowest first; each once. */
  readonly blobs: readonly ContentBlob[];
  /** Those in the store that list the manifest. Throws `invalid-image` for one that was changed. */
  indexes(): Promise<readonly StoredDocument[]>;
}

/**
 * An image outside the store. The store fetches what it lacks and verifies it; the source need not
 * verify anything.
 */
export interface ImageSource {
  readonly manifest: StoredDocument;
  /** Those that list the manifest. */
  readonly indexes: readonly StoredDocument[];
  /** Of the image; this host's where it is left out. */
  readonly platform?: Platform;
  /** The content of a blob, opened once for each that is missing here. */
  blob(descriptor: { readonly digest: Digest; readonly size: number }): AsyncIterable<Uint8Array>;
  /** Canonical names with a tag, which move to the image. */
  readonly names: readonly string[];
  /**
   * Canonical repository, and the digest that the image has in it: of its index, where it came
   * through one.
   */
  readonly repoDigest?: { readonly repository: string; readonly digest: Digest };
  readonly origin: Origin;
  /**
   * Replaces what is stored for the manifest and the indexes, unless the image is known from
   * another repository too: then both stay. Left alone where it is undefined.
   */
  readonly attachments?: readonly Attachment[];
  readonly signal?: AbortSignal;
}

/** A layer's progress. */
export interface IngestEvent {
  /** Of the layer's blob. */
  readonly layer: Digest;
  readonly state:
    | 'planned'
    | 'waiting'
    | 'downloading'
    | 'verifying'
    | 'downloaded'
    | 'converting'
    | 'complete'
    | 'exists';
  /** Bytes so far, and of the whole blob; while it is downloaded. */
  readonly current?: number;
  readonly total?: number;
}

/** What a removal removed. */
export interface RemovedImage {
  /** Familiar names and digests. */
  readonly untagged: readonly string[];
  /** The image's id, where the image was removed with its last name. */
  readonly deleted: readonly string[];
  /** Chain ids of the layers that no other image has, the uppermost first. */
  readonly layers: readonly string[];
}

export interface ImageStore {
  /**
   * Reads an archive (docker-archive or OCI layout as tar, plain or compressed) and stores every
   * image in it. Nothing becomes visible unless all of it is right. Of the images' names, returns
   * those that the archive has.
   */
  load(
    archive: AsyncIterable<Uint8Array>,
    progress?: (line: string) => void,
  ): Promise<readonly Image[]>;
  /** Reads an OCI layout directory on this host. */
  loadDirectory(path: string, progress?: (line: string) => void): Promise<readonly Image[]>;
  /**
   * By tag, by id or a unique prefix of it (4 digits at least), or by digest. Throws
   * `no-such-image`.
   */
  resolve(reference: string): Promise<Image>;
  list(): Promise<readonly Image[]>;
  /**
   * Removes a tag, and the image with its last one (`force`: all of its tags, when named by id).
   * `inUse` says which images boxes use: such an image is only untagged, or refused with
   * `image-in-use`.
   */
  remove(
    reference: string,
    options: { force: boolean; inUse: (imageId: string) => boolean },
  ): Promise<RemovedImage>;
  /**
   * The image's layers as EROFS files, lowest first, made where missing.
   *
   * @param most of them, 56 if not given: more layers have their lowest ones merged into one file
   */
  bootLayers(image: Image, most?: number): Promise<readonly BootLayer[]>;
  /**
   * What the image has at a path relative to its root, by the links of the image; undefined where
   * it has nothing. Throws `invalid-image` where a disk of it cannot be read.
   */
  kindOf(image: Image, path: string): Promise<FileKind | undefined>;
  /**
   * The same with their dm-verity trees, which are made where missing. Each disk is read as a whole
   * and compared with its tree, once in the life of this process and of the file. Throws
   * `invalid-image` where a disk has changed.
   */
  verityLayers(image: Image): Promise<readonly VerityLayer[]>;
  /**
   * Stores an image whose blobs are elsewhere: fetches those that are missing, each once, and
   * checks everything. Nothing becomes visible unless all of it is right. Then all of it becomes
   * visible at once, names included.
   */
  ingest(source: ImageSource, progress?: (event: IngestEvent) => void): Promise<Image>;
  /**
   * Gives the image `source` a further name, or moves the name to it. Throws `no-such-image`,
   * `invalid-reference`.
   */
  tag(source: string, target: string): Promise<Image>;
  /**
   * Replaces all that is attached to these digests. Throws `no-such-image` when a subject is not in
   * the store.
   */
  attach(subjects: readonly Digest[], attachments: readonly Attachment[]): Promise<void>;
  /**
   * What is attached to these digests. Throws `invalid-image` where the bytes differ from what was
   * stored.
   */
  attachments(subjects: readonly Digest[]): Promise<readonly Attachment[]>;
  /** Passes the image's content to `use`. The content stays in the store until `use` has ended. */
  content<T>(image: Image, use: (content: ImageContent) => Promise<T>): Promise<T>;
  /**
   * Records that a canonical repository has this manifest now. Does nothing where the store no
   * longer has the manifest.
   */
  recordRepoDigest(repoDigest: {
    readonly repository: string;
    readonly digest: Digest;
  }): Promise<void>;
  /** Newest step first. Throws `no-such-image`. */
  history(reference: string): Promise<readonly HistoryEntry[]>;
  /**
   * The images as one archive, which is an OCI layout and a docker-archive: names, indexes and what
   * is attached are in it. Throws `no-such-image`, and `invalid-image` for a store that is damaged;
   * reading the archive throws it too.
   */
  save(references: readonly string[]): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Makes an image of a root filesystem, a tar that may be compressed. Throws `invalid-image`,
   * `invalid-argument`.
   */
  import(tar: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image>;
  /**
   * Makes an image of another one and a further layer, a plain tar; one without entries adds no
   * layer. Nothing becomes visible unless all of it is right. Throws `no-such-image`,
   * `invalid-image`, `too-large`, `disk-full`.
   */
  extend(parent: Image, layer: AsyncIterable<Uint8Array>, options: ExtendOptions): Promise<Image>;
  /** Removes images that nobody needs. */
  prune(options: PruneOptions): Promise<PruneResult>;
  /** What the images take on disk, blobs and disks together. */
  usage(): Promise<ImageUsage>;
  /** The bytes that the images share, counted as `Image.size` counts. */
  shares(): Promise<ImageUsage>;
}
