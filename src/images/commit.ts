/**
 * Makes images visible: files first, then the rows that need them.
 *
 * @module
 */

import type { Digest } from '../oci/digest.ts';
import type {
  AttachmentRecord,
  Catalog,
  ImageRecord,
  NewAttachments,
  RepoDigest,
} from './catalog/catalog.ts';
import type { StagedFile } from './content/staging.ts';
import type { Origin } from './image.ts';
import type { LoadedImage } from './layer-loader.ts';
import { MAX_ATTACHMENTS } from './limits.ts';
import type { StoreParts } from './store-parts.ts';
import { sweep } from './sweep.ts';

/** An image whose layers have been checked. */
export interface CheckedImage {
  readonly image: LoadedImage;
  readonly origin: Origin;
  readonly repoDigest?: RepoDigest | undefined;
}

export interface StagedAttachments {
  readonly subjects: readonly Digest[];
  readonly records: readonly AttachmentRecord[];
  /** The bytes that the records name. */
  readonly files: readonly StagedFile[];
  /** Whether the existing attachments stay, where there is room for both. */
  readonly besideOthers?: boolean;
}

/** All or nothing; the records are given back in the order of the images. */
export async function commitImages(
  parts: StoreParts,
  images: readonly CheckedImage[],
  attachments?: StagedAttachments,
): Promise<readonly ImageRecord[]> {
  return await parts.lock.run(async () => {
    const { blobs, catalog } = parts;
    await blobs.add([
      ...images.flatMap(({ image: { manifest, indexes, configBlob, layers } }) => [
        manifest,
        configBlob,
        ...layers.map(({ blob }) => blob),
        ...(indexes ?? []),
      ]),
      ...(attachments?.files ?? []),
    ]);
    const rows = images.map(({ image, origin, repoDigest }) => ({
      record: recordOf(image),
      names: image.names,
      origin,
      repoDigest,
      indexes: image.indexes?.map(({ digest }) => digest),
    }));
    catalog.add(rows, attachments === undefined ? undefined : withOthers(attachments, catalog));
    await sweep(parts);
    return rows.map(({ record }) => record);
  });
}

/** As `commitImages`, for what is attached to images that are here. */
export async function commitAttachments(
  parts: StoreParts,
  attachments: StagedAttachments,
  check: () => void,
): Promise<void> {
  await parts.lock.run(async () => {
    check();
    await parts.blobs.add(attachments.files);
    const rows: NewAttachments = attachments;
    parts.catalog.attach(rows);
    await sweep(parts);
  });
}

function withOthers(attachments: StagedAttachments, catalog: Catalog): NewAttachments {
  const { subjects, records, besideOthers } = attachments;
  if (besideOthers !== true) return attachments;
  const kept = subjects
    .flatMap((subject) => catalog.attachmentsOf(subject))
    .filter((old) => !records.some((each) => isSame(each, old)));
  // Keeps the new attachments where both together exceed the bound: an image over the bound could
  // not be read.
  const all = [...kept, ...records];
  return { subjects, records: all.length > MAX_ATTACHMENTS ? records : all };
}

function isSame(a: AttachmentRecord, b: AttachmentRecord): boolean {
  return a.subject === b.subject && a.digest === b.digest;
}

function recordOf({ manifest, mediaType, configBlob, config, layers }: LoadedImage): ImageRecord {
  const sizes = layers.map(({ blob }) => blob.size);
  const { stopSignal, healthcheck, shell, onBuild, ...process } = config.config;
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
      ...(healthcheck === undefined
        ? {}
        : { healthcheck: { ...healthcheck, test: [...healthcheck.test] } }),
      ...(shell === undefined ? {} : { shell: [...shell] }),
      ...(onBuild === undefined ? {} : { onBuild: [...onBuild] }),
    },
  };
}
