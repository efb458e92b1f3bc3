/**
 * Stores an image from an outside source.
 *
 * Documents are checked before anything else is fetched. Then layers come in parallel, and each
 * becomes a disk as soon as it is here. Their blobs are published at once and pinned. A blob
 * without a catalog row is deleted by the next sweep.
 *
 * @module
 */

import { Semaphore } from '../../async/semaphore.ts';
import { settleAll } from '../../async/settle-all.ts';
import type { ConfigFile } from '../../oci/config.ts';
import { corrupt } from '../../oci/corrupt.ts';
import type { Descriptor } from '../../oci/manifest.ts';
import type { PlannedLayer } from '../archive/image-plan.ts';
import { readConfig } from '../archive/image-plan.ts';
import { stageAttachments } from '../attachments/attachments.ts';
import { viewOf } from '../catalog/view.ts';
import { commitImages } from '../commit.ts';
import { Staging } from '../content/staging.ts';
import { readStoredDocument } from '../content/stored-document.ts';
import { diskFull } from '../disk-budget.ts';
import { mergedCount, possibleDisks, standAlone } from '../disks.ts';
import type { Image, ImageSource, IngestEvent } from '../image.ts';
import { LayerLoader, type LoadedImage } from '../layer-loader.ts';
import type { StoreParts } from '../store-parts.ts';
import { lockAndSweep } from '../sweep.ts';
import { checkSource, type SourceDocuments } from './source-documents.ts';

const DOWNLOADS_AT_ONCE = 3;
/**
 * Limits progress events: bytes arrive a thousand times a second, more often than a display needs.
 */
const TELL_EVERY_MS = 100;

type Progress = (event: IngestEvent) => void;

/** @throws A3sError `invalid-image`, `too-large`, `disk-full`, or what the source throws */
export async function ingest(
  parts: StoreParts,
  source: ImageSource,
  progress: Progress = () => undefined,
): Promise<Image> {
  const documents = checkSource(source, parts.limits);
  const staging = await Staging.create(parts.staging);
  const task = new IngestTask(parts, source, documents, staging, progress);
  try {
    return await task.run();
  } catch (error) {
    // Some blobs and disks may have been made before one was refused.
    await lockAndSweep(parts);
    throw error;
  } finally {
    await staging.remove();
  }
}

class IngestTask {
  readonly #parts: StoreParts;
  readonly #source: ImageSource;
  readonly #documents: SourceDocuments;
  readonly #staging: Staging;
  readonly #progress: Progress;
  /** The first failure ends all other downloads. */
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;
  readonly #slots = new Semaphore(DOWNLOADS_AT_ONCE);
  readonly #loader: LayerLoader;
  /** A layer that stands twice in an image is fetched once. */
  readonly #layers = new Map<string, Promise<{ blob: PlannedLayer['blob']; depends: boolean }>>();

  constructor(
    parts: StoreParts,
    source: ImageSource,
    documents: SourceDocuments,
    staging: Staging,
    progress: Progress,
  ) {
    this.#parts = parts;
    this.#source = source;
    this.#documents = documents;
    this.#staging = staging;
    this.#progress = progress;
    this.#signal =
      source.signal === undefined
        ? this.#failed.signal
        : AbortSignal.any([source.signal, this.#failed.signal]);
    this.#loader = new LayerLoader(parts.disks);
  }

  async run(): Promise<Image> {
    const { config, layers } = this.#documents.manifest;
    return await this.#hold('blobPins', [config, ...layers].map(digestOf), async () => {
      const configBlob = await this.#fetch(config);
      // A file that was there already may have changed since.
      await readStoredDocument(config.digest, this.#parts);
      const { platform = this.#parts.platform } = this.#source;
      const options = { limits: this.#parts.limits, platform };
      const parsed = await readConfig(configBlob, layers.length, options);
      const planned = parsed.diffIds.map((diffId) => ({ diffId }));
      return await this.#hold('diskPins', possibleDisks(planned), async () => {
        await this.#checkSpace(layers);
        const loaded = await this.#loadLayers(parsed);
        const indexes = [];
        for (const { bytes } of this.#source.indexes) {
          indexes.push(await this.#staging.addBytes(bytes));
        }
        return await this.#commit({
          names: this.#documents.names,
          manifest: await this.#staging.addBytes(this.#source.manifest.bytes),
          indexes,
          mediaType: this.#documents.mediaType,
          configBlob,
          config: parsed,
          layers: loaded,
        });
      });
    });
  }

  /** Pins the items, after any sweep ended that may not know of the pins. */
  async #hold<T>(
    which: 'blobPins' | 'diskPins',
    digests: readonly Descriptor['digest'][],
    task: () => Promise<T>,
  ): Promise<T> {
    return await this.#parts[which].hold(digests, async () => {
      await this.#parts.lock.run(() => Promise.resolve());
      return await task();
    });
  }

  /** Fails before the download rather than after gigabytes. @throws A3sError `disk-full` */
  async #checkSpace(layers: readonly Descriptor[]): Promise<void> {
    let missing = 0;
    for (const { digest, size } of new Map(layers.map((layer) => [layer.digest, layer])).values()) {
      if (!(await this.#parts.blobs.has(digest, size))) missing += size;
    }
    if (missing > this.#staging.budget.left) throw diskFull(this.#staging.directory);
  }

  async #loadLayers({ diffIds }: ConfigFile): Promise<LoadedImage['layers']> {
    const { layers } = this.#documents.manifest;
    const distinct = [...new Set(layers.map(digestOf))];
    for (const layer of distinct) this.#progress({ layer, state: 'planned' });
    for (const layer of distinct.slice(DOWNLOADS_AT_ONCE)) {
      this.#progress({ layer, state: 'waiting' });
    }
    const merged = mergedCount(layers);
    const loaded = await settleAll(
      layers.map(async (descriptor, index) => {
        const diffId = diffIds[index];
        if (diffId === undefined) throw corrupt('the manifest', 'a layer has no diff ID');
        try {
          const { blob, depends } = await this.#layerOnce(descriptor, diffId, index < merged);
          return { diffId, blob, implicit: depends };
        } catch (error) {
          this.#failed.abort(error);
          throw error;
        }
      }),
    );
    await this.#loader.finish(loaded);
    return loaded;
  }

  #layerOnce(
    descriptor: Descriptor,
    diffId: Descriptor['digest'],
    isMerged: boolean,
  ): Promise<{ blob: PlannedLayer['blob']; depends: boolean }> {
    const key = `${descriptor.digest} ${diffId} ${isMerged}`;
    const known = this.#layers.get(key);
    if (known !== undefined) return known;
    const loading = this.#layer(descriptor, diffId, isMerged);
    this.#layers.set(key, loading);
    return loading;
  }

  /**
   * Fetches a layer and makes its disk; one that shares a disk with others is checked when that is
   * made.
   */
  async #layer(
    descriptor: Descriptor,
    diffId: Descriptor['digest'],
    isMerged: boolean,
  ): Promise<{ blob: PlannedLayer['blob']; depends: boolean }> {
    const { catalog, disks } = this.#parts;
    const layer = descriptor.digest;
    const blob = await this.#slots.run(() => this.#fetch(descriptor));
    const checked = catalog.layerDependsOnOthers(diffId, layer);
    if (blob.how === 'there' && checked !== undefined) {
      if (!isMerged && !checked) {
        await disks.ensure(standAlone({ diffId, size: blob.size, path: blob.path }));
      }
      this.#progress({ layer, state: 'exists' });
      return { blob, depends: !isMerged && checked };
    }
    this.#signal.throwIfAborted();
    this.#progress({ layer, state: 'converting' });
    const depends = !isMerged && (await this.#loader.dependsOnOthers({ diffId, blob }));
    this.#progress({ layer, state: 'complete' });
    return { blob, depends };
  }

  async #fetch(descriptor: Descriptor): ReturnType<StoreParts['downloads']['fetch']> {
    const { digest: layer, size } = descriptor;
    const isLayer = descriptor !== this.#documents.manifest.config;
    let reportedAt = Number.NEGATIVE_INFINITY;
    const tell = (event: IngestEvent) => {
      if (isLayer) this.#progress(event);
    };
    const fetched = await this.#parts.downloads.fetch({
      digest: layer,
      size,
      open: () => this.#source.blob({ digest: layer, size }),
      staging: this.#staging,
      signal: this.#signal,
      onBytes: (current) => {
        const now = performance.now();
        if (current < size && now - reportedAt < TELL_EVERY_MS) return;
        reportedAt = now;
        tell({ layer, state: 'downloading', current, total: size });
      },
      onVerify: () => tell({ layer, state: 'verifying' }),
    });
    if (fetched.how !== 'there') tell({ layer, state: 'downloaded' });
    return fetched;
  }

  async #commit(image: LoadedImage): Promise<Image> {
    const { origin, attachments } = this.#source;
    const attached =
      attachments === undefined
        ? undefined
        : await stageAttachments(this.#staging, this.#documents.subjects, attachments);
    this.#signal.throwIfAborted();
    const { repoDigest } = this.#documents;
    // Attachments from one repository never remove those from another one.
    const besideOthers = this.#parts.catalog
      .repoDigestsOf(image.configBlob.digest)
      .some(({ repository }) => repository !== repoDigest?.repository);
    const [record] = await commitImages(
      this.#parts,
      [{ image, origin, repoDigest }],
      attached && { ...attached, besideOthers },
    );
    if (record === undefined) throw corrupt('the manifest', 'it was not stored');
    return viewOf(record, this.#parts.catalog);
  }
}

function digestOf({ digest }: Descriptor): Descriptor['digest'] {
  return digest;
}
