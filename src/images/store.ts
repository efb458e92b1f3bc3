/**
 * The image store: names in the database, blobs in an OCI layout, layers as EROFS disks.
 *
 * Files are published before the rows that need them and deleted after them, so a crash at any
 * moment leaves at most files that nothing needs; opening the store sweeps them. One process at a
 * time: the database's lock sees to that.
 *
 * @module
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Semaphore } from '../async/semaphore.ts';
import { A3sError } from '../errors.ts';
import type { SpawnInJail } from '../jail/decoder.ts';
import { spawnInJail } from '../jail/spawn.ts';
import { corrupt } from '../oci/corrupt.ts';
import type { Digest } from '../oci/digest.ts';
import { hostPlatform, type Platform } from '../oci/platform.ts';
import { isReference } from '../oci/reference.ts';
import type { Database } from '../state/database.ts';
import type { ArchiveFiles } from './archive/archive-files.ts';
import { planDockerArchive } from './archive/docker-archive.ts';
import { LayoutDirectory } from './archive/layout-directory.ts';
import { planOciArchive } from './archive/oci-archive.ts';
import { readTarFiles } from './archive/tar-files.ts';
import type { Attachment } from './attachments/attachment.ts';
import { attach, readAttachments } from './attachments/attachments.ts';
import { Catalog, type ImageRecord, type RepoDigest } from './catalog/catalog.ts';
import { noSuchImage, resolveImage } from './catalog/resolve.ts';
import { familiar, familiarDigest, viewOf } from './catalog/view.ts';
import { ChainCounts } from './chain-ids.ts';
import { commitImages } from './commit.ts';
import { Blobs, sweepDirectory } from './content/blobs.ts';
import { withContent } from './content/content.ts';
import { makePrivate } from './content/files.ts';
import { Pins } from './content/pins.ts';
import { Staging } from './content/staging.ts';
import type { Converter } from './converter/converter.ts';
import { Disks, planDisks, possibleDisks } from './disks.ts';
import type { FileKind } from './erofs/image-reader.ts';
import { extendImage } from './extend/extend-image.ts';
import type { ExtendOptions } from './extend/extend-options.ts';
import { findFile } from './find-file.ts';
import type { HistoryEntry } from './history/history.ts';
import { imageHistory } from './history/image-history.ts';
import type {
  BootLayer,
  Image,
  ImageContent,
  ImageSource,
  ImageStore,
  IngestEvent,
  Origin,
  RemovedImage,
  VerityLayer,
} from './image.ts';
import { importImage } from './import/import-image.ts';
import type { ImportOptions } from './import/import-options.ts';
import { Downloads } from './ingest/downloads.ts';
import { ingest } from './ingest/ingest.ts';
import { loadedAttachments } from './ingest/loaded-attachments.ts';
import { LayerLoader, type LoadedImage } from './layer-loader.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { pruneImages } from './prune/prune-images.ts';
import type { PruneOptions, PruneResult } from './prune/prune-options.ts';
import { planRemoval, type RemoveOptions } from './prune/remove.ts';
import { saveImages } from './save/save-images.ts';
import type { StoreParts } from './store-parts.ts';
import { lockAndSweep, sweep } from './sweep.ts';
import { recordRepoDigest, tagImage } from './tag/tag.ts';
import { imageShares, imageUsage } from './usage/image-usage.ts';
import type { ImageUsage } from './usage/shares.ts';

export interface ImageStoreOptions {
  /** The store's own directory; made where it is missing. */
  readonly directory: string;
  /** Open, locked, and with this module's `migrations` applied. */
  readonly database: Database;
  readonly limits?: Limits;
  readonly platform?: Platform;
  readonly converter: Converter;
  readonly spawn?: SpawnInJail;
  /** Called with each image name that another version accepted and this version removes. */
  readonly onNameRemoved?: (name: string) => void;
}

/**
 * Opens the store and removes what a crash left behind.
 *
 * @throws A3sError `state-unusable` when it was written by another version
 */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const { directory, database } = options;
  const limits = options.limits ?? DEFAULT_LIMITS;
  const platform = options.platform ?? hostPlatform();
  const spawn = options.spawn ?? spawnInJail;
  await makePrivate(directory);
  const staging = join(directory, 'staging');
  await makePrivate(staging);
  await sweepDirectory(staging, () => false);
  const blobs = await Blobs.open(directory);
  const parts: StoreParts = {
    staging,
    limits,
    platform,
    spawn,
    blobs,
    disks: await Disks.open(join(directory, 'erofs'), staging, {
      limits,
      converter: options.converter,
    }),
    catalog: new Catalog(database),
    downloads: new Downloads(blobs),
    diskPins: new Pins(),
    blobPins: new Pins(),
    lock: new Semaphore(1),
  };
  // A user could not even remove a name that another version accepted and this version refuses.
  for (const name of parts.catalog.keepNames(isReference)) options.onNameRemoved?.(name);
  await lockAndSweep(parts);
  return new Store(parts);
}

type Progress = (line: string) => void;

class Store implements ImageStore {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  async load(archive: AsyncIterable<Uint8Array>, progress?: Progress): Promise<readonly Image[]> {
    const { limits, spawn } = this.#parts;
    return await this.#loadFrom(
      (staging) => readTarFiles(archive, { staging, limits, spawn }),
      progress,
    );
  }

  async loadDirectory(path: string, progress?: Progress): Promise<readonly Image[]> {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) {
      throw new A3sError('invalid-argument', `Cannot load ${path}: there is no such directory`, {
        remedy: 'Give the path of an OCI layout.',
      });
    }
    return await this.#loadFrom((staging) => new LayoutDirectory(path, staging), progress);
  }

  resolve(reference: string): Promise<Image> {
    return Promise.resolve().then(() =>
      this.#image(resolveImage(reference, this.#parts.catalog).record),
    );
  }

  list(): Promise<readonly Image[]> {
    return Promise.resolve().then(() =>
      this.#parts.catalog
        .all()
        .map((record) => this.#image(record))
        .sort((a, b) => Date.parse(b.created) - Date.parse(a.created) || (a.id < b.id ? -1 : 1)),
    );
  }

  async remove(reference: string, options: RemoveOptions): Promise<RemovedImage> {
    return await this.#parts.lock.run(async () => {
      const { catalog } = this.#parts;
      const { names, repoDigests, deleted } = planRemoval(reference, catalog, options);
      const layers = deleted === undefined ? [] : new ChainCounts(catalog.all()).remove(deleted);
      catalog.remove(names, repoDigests, deleted);
      await sweep(this.#parts);
      return {
        untagged: [...names.map(familiar), ...repoDigests.map(familiarDigest)],
        deleted: deleted === undefined ? [] : [deleted],
        layers,
      };
    });
  }

  async ingest(source: ImageSource, progress?: (event: IngestEvent) => void): Promise<Image> {
    return await ingest(this.#parts, source, progress);
  }

  async tag(source: string, target: string): Promise<Image> {
    return await tagImage(this.#parts, source, target);
  }

  async attach(subjects: readonly Digest[], attachments: readonly Attachment[]): Promise<void> {
    await attach(this.#parts, subjects, attachments);
  }

  async attachments(subjects: readonly Digest[]): Promise<readonly Attachment[]> {
    return await readAttachments(this.#parts, subjects);
  }

  async content<T>(image: Image, use: (content: ImageContent) => Promise<T>): Promise<T> {
    return await withContent(this.#parts, image, use);
  }

  async recordRepoDigest(repoDigest: RepoDigest): Promise<void> {
    await recordRepoDigest(this.#parts, repoDigest);
  }

  async history(reference: string): Promise<readonly HistoryEntry[]> {
    return await imageHistory(this.#parts, reference);
  }

  async save(references: readonly string[]): Promise<AsyncIterable<Uint8Array>> {
    return await saveImages(this.#parts, references);
  }

  async import(tar: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image> {
    return await importImage(this.#parts, tar, options);
  }

  async extend(
    parent: Image,
    layer: AsyncIterable<Uint8Array>,
    options: ExtendOptions,
  ): Promise<Image> {
    return await extendImage(this.#parts, parent, layer, options);
  }

  async prune(options: PruneOptions): Promise<PruneResult> {
    return await pruneImages(this.#parts, options);
  }

  async usage(): Promise<ImageUsage> {
    return await imageUsage(this.#parts);
  }

  async shares(): Promise<ImageUsage> {
    return imageShares(this.#parts);
  }

  async bootLayers(image: Image, most?: number): Promise<readonly BootLayer[]> {
    return await this.#withDisks(image, (layers) => Promise.resolve(layers), most);
  }

  async kindOf(image: Image, path: string): Promise<FileKind | undefined> {
    return await this.#withDisks(image, (layers) =>
      findFile(
        layers.map((layer) => layer.path),
        path,
      ),
    );
  }

  async verityLayers(image: Image): Promise<readonly VerityLayer[]> {
    const { disks } = this.#parts;
    return await this.#withDisks(image, (layers) =>
      Promise.all(layers.map(async (layer) => ({ ...layer, ...(await disks.tree(layer.diffId)) }))),
    );
  }

  /** Makes the missing disks, and pins all of them until `use` has ended. */
  async #withDisks<T>(
    image: Image,
    use: (layers: readonly (BootLayer & { readonly diffId: Digest })[]) => Promise<T>,
    most?: number,
  ): Promise<T> {
    const { catalog, disks, blobs, diskPins } = this.#parts;
    const record = catalog.byManifest(image.manifestDigest) ?? catalog.byId(image.id);
    if (record === undefined) throw noSuchImage(image.id);
    const plans = planDisks(
      record.layers.map(({ diffId, blob, size, implicit }) => ({
        diffId,
        size,
        implicit,
        path: blobs.path(blob),
      })),
      most,
    );
    const digests = plans.map(({ digest }) => digest);
    return await diskPins.hold(digests, async () => {
      await Promise.all(plans.map((plan) => disks.ensure(plan)));
      return await use(digests.map((digest) => ({ diffId: digest, path: disks.path(digest) })));
    });
  }

  async #loadFrom(
    read: (staging: Staging) => ArchiveFiles | Promise<ArchiveFiles>,
    progress: Progress | undefined,
  ): Promise<readonly Image[]> {
    const staging = await Staging.create(this.#parts.staging);
    try {
      return await this.#loadStaged(staging, await read(staging), progress);
    } catch (error) {
      // Some disks may have been made before a layer was refused.
      await lockAndSweep(this.#parts);
      throw error;
    } finally {
      await staging.remove();
    }
  }

  async #loadStaged(
    staging: Staging,
    files: ArchiveFiles,
    progress: Progress | undefined,
  ): Promise<readonly Image[]> {
    const plans =
      (await planOciArchive(files, this.#parts)) ??
      (await planDockerArchive(files, staging, this.#parts));
    if (plans === undefined) throw noImage(files);
    const digests = plans.flatMap(({ layers }) => possibleDisks(layers));
    return await this.#parts.diskPins.hold(digests, async () => {
      const loaded = await new LayerLoader(this.#parts.disks, progress).load(plans);
      const at = new Date().toISOString();
      const records = await commitImages(
        this.#parts,
        loaded.map((image) => ({ image, origin: originOf(image, at) })),
        loadedAttachments(loaded, this.#parts.catalog),
      );
      const named = new Set(loaded.flatMap(({ names }) => names.map(familiar)));
      return records.map((record) => {
        const image = this.#image(record);
        return { ...image, tags: image.tags.filter((tag) => named.has(tag)) };
      });
    });
  }

  #image(record: ImageRecord): Image {
    return viewOf(record, this.#parts.catalog);
  }
}

function originOf({ names: [name] }: LoadedImage, at: string): Origin {
  return { kind: 'load', at, ...(name === undefined ? {} : { reference: familiar(name) }) };
}

function noImage({ what }: ArchiveFiles): A3sError {
  const error = corrupt(what, 'it is neither an OCI layout nor a docker-archive');
  return new A3sError(error.code, error.message, {
    remedy: 'Save the image with docker save, podman save or skopeo copy.',
  });
}
