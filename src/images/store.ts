/**
 * The image store: names in the database, blobs in an OCI layout, layers as EROFS disks.
 *
 * Files are published before the rows that need them and deleted after them, so a crash at any moment leaves at most
 * files that nothing needs; opening the store sweeps them. One process at a time: the database's lock sees to that.
 *
 * @module
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { spawnInCell } from '../cell/spawn.ts';
import { A3sError } from '../errors.ts';
import type { Database } from '../state/database.ts';
import type { ArchiveFiles } from './archive/archive-files.ts';
import { planDockerArchive } from './archive/docker-archive.ts';
import { LayoutDirectory } from './archive/layout-directory.ts';
import { planOciArchive } from './archive/oci-archive.ts';
import { readTarFiles } from './archive/tar-files.ts';
import { Blobs, sweepDirectory } from './blobs.ts';
import { Catalog, type ImageRecord } from './catalog.ts';
import type { Converter } from './converter/converter.ts';
import type { SpawnInCell } from './decoder.ts';
import type { Digest } from './digest.ts';
import { Disks, planDisks, possibleDisks } from './disks.ts';
import { makePrivate } from './files.ts';
import type { BootLayer, Image, ImageStore } from './image.ts';
import { LayerLoader, type LoadedImage } from './layer-loader.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { Pins } from './pins.ts';
import { hostPlatform, type Platform } from './platform.ts';
import { familiarName, parseReference } from './reference.ts';
import { planRemoval, type RemoveOptions } from './remove.ts';
import { noSuchImage, resolveImage } from './resolve.ts';
import { Semaphore } from './semaphore.ts';
import { Staging } from './staging.ts';
import { corrupt } from './tar/corrupt.ts';

export interface ImageStoreOptions {
  /** The store's own directory; made where it is missing. */
  readonly directory: string;
  /** Open, locked, and with this module's `migrations` applied. */
  readonly database: Database;
  readonly limits?: Limits;
  readonly platform?: Platform;
  readonly converter: Converter;
  readonly spawn?: SpawnInCell;
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
  const spawn = options.spawn ?? spawnInCell;
  await makePrivate(directory);
  const staging = join(directory, 'staging');
  await makePrivate(staging);
  await sweepDirectory(staging, () => false);
  const store = new Store({
    staging,
    limits,
    platform,
    spawn,
    blobs: await Blobs.open(directory),
    disks: await Disks.open(join(directory, 'erofs'), staging, {
      limits,
      converter: options.converter,
    }),
    catalog: new Catalog(database),
  });
  await store.settle();
  return store;
}

interface Parts {
  readonly staging: string;
  readonly limits: Limits;
  readonly platform: Platform;
  readonly spawn: SpawnInCell;
  readonly blobs: Blobs;
  readonly disks: Disks;
  readonly catalog: Catalog;
}

type Progress = (line: string) => void;

class Store implements ImageStore {
  readonly #parts: Parts;
  /** Disks that a load or a start needs, whatever the catalog says. */
  readonly #pins = new Pins<Digest>();
  /** Held while files and rows change together. */
  readonly #lock = new Semaphore(1);

  constructor(parts: Parts) {
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

  async remove(
    reference: string,
    options: RemoveOptions,
  ): Promise<{ untagged: readonly string[]; deleted: readonly string[] }> {
    return await this.#lock.run(async () => {
      const { catalog } = this.#parts;
      const { names, deleted } = planRemoval(reference, catalog, options);
      catalog.remove(names, deleted);
      await this.#sweep();
      return {
        untagged: names.map(familiar),
        deleted: deleted === undefined ? [] : [deleted],
      };
    });
  }

  async bootLayers(image: Image): Promise<readonly BootLayer[]> {
    const { catalog, disks, blobs } = this.#parts;
    const record = catalog.byId(image.id);
    if (record === undefined) throw noSuchImage(image.id);
    const plans = planDisks(
      record.layers.map(({ diffId, blob, size, implicit }) => ({
        diffId,
        size,
        implicit,
        path: blobs.path(blob),
      })),
    );
    const digests = plans.map(({ digest }) => digest);
    await this.#pins.hold(digests, () => Promise.all(plans.map((plan) => disks.ensure(plan))));
    return digests.map((digest) => ({ diffId: digest, path: disks.path(digest) }));
  }

  /** Brings the files in line with the catalog. */
  async settle(): Promise<void> {
    await this.#lock.run(() => this.#sweep());
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
      await this.settle();
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
    return await this.#pins.hold(digests, async () => {
      const loaded = await new LayerLoader(this.#parts.disks, progress).load(plans);
      return await this.#lock.run(() => this.#commit(loaded));
    });
  }

  async #commit(plans: readonly LoadedImage[]): Promise<readonly Image[]> {
    const { blobs, catalog } = this.#parts;
    await blobs.add(
      plans.flatMap(({ manifest, configBlob, layers }) => [
        manifest,
        configBlob,
        ...layers.map(({ blob }) => blob),
      ]),
    );
    const images = plans.map((plan) => ({ record: recordOf(plan), names: plan.names }));
    catalog.add(images);
    await this.#sweep();
    return images.map(({ record }) => this.#image(record));
  }

  async #sweep(): Promise<void> {
    const { blobs, disks, catalog } = this.#parts;
    const records = catalog.all();
    await blobs.writeIndex(
      records.map(({ id, manifest }) => ({
        manifest,
        names: catalog.namesOf(id),
      })),
    );
    await blobs.sweep(
      new Set(
        records.flatMap(({ id, manifest, layers }) => [
          id,
          manifest.digest,
          ...layers.map(({ blob }) => blob),
        ]),
      ),
    );
    const needed = records.flatMap(({ layers }) => planDisks(layers).map(({ digest }) => digest));
    await disks.sweep(new Set([...needed, ...this.#pins.all]));
  }

  #image(record: ImageRecord): Image {
    const { stopSignal, ...config } = record.config;
    return {
      id: record.id,
      manifestDigest: record.manifest.digest,
      tags: this.#parts.catalog.namesOf(record.id).map(familiar),
      architecture: record.architecture,
      os: record.os,
      created: record.created,
      author: record.author,
      size: record.size,
      diffIds: record.layers.map(({ diffId }) => diffId),
      config: { ...config, stopSignal },
    };
  }
}

function recordOf({ manifest, mediaType, configBlob, config, layers }: LoadedImage): ImageRecord {
  const sizes = layers.map(({ blob }) => blob.size);
  const { stopSignal, ...process } = config.config;
  return {
    id: configBlob.digest,
    manifest: { digest: manifest.digest, size: manifest.size, mediaType },
    architecture: config.architecture,
    os: config.os,
    created: config.created,
    author: config.author,
    size: sizes.reduce((sum, size) => sum + size, configBlob.size),
    layers: layers.map(({ diffId, blob, implicit }) => ({
      diffId,
      blob: blob.digest,
      size: blob.size,
      implicit,
    })),
    config: {
      entrypoint: [...process.entrypoint],
      cmd: [...process.cmd],
      env: [...process.env],
      workingDir: process.workingDir,
      user: process.user,
      labels: { ...process.labels },
      ...(stopSignal === undefined ? {} : { stopSignal }),
      exposedPorts: [...process.exposedPorts],
      volumes: [...process.volumes],
    },
  };
}

function noImage({ what }: ArchiveFiles): A3sError {
  const error = corrupt(what, 'it is neither an OCI layout nor a docker-archive');
  return new A3sError(error.code, error.message, {
    remedy: 'Save the image with docker save, podman save or skopeo copy.',
  });
}

function familiar(canonical: string): string {
  return familiarName(parseReference(canonical));
}
