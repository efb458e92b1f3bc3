/**
 * The documents of an archive that is an OCI layout and a docker-archive in one, as Docker 25 and
 * later write it.
 *
 * Manifests and indexes are the bytes that were pulled or loaded, so digests and signatures stay
 * valid. An index stands in the layout although most of the manifests that it lists do not: readers
 * choose their platform's.
 *
 * @module
 */

import { OCI_INDEX } from '../../oci/media-types.ts';
import { parseReference } from '../../oci/reference.ts';
import { blobPath } from '../archive/archive-files.ts';
import type { SavedAttachment, SavedBlob, SavedImage } from './saved-image.ts';

/** The full name: Docker, containerd, podman and our own load read it. */
const FULL_NAME = 'io.containerd.image.name';
/** The tag alone: the OCI specification defines it so, and skopeo and umoci read it. */
const REF_NAME = 'org.opencontainers.image.ref.name';

/** Small files by their paths, in the order in which they are written. */
export function archiveDocuments(images: readonly SavedImage[]): ReadonlyMap<string, Buffer> {
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  return new Map([
    ['oci-layout', json({ imageLayoutVersion: '1.0.0' })],
    ['index.json', json(layoutIndex(images))],
    ['manifest.json', json(images.map(dockerEntry))],
  ]);
}

/** Every blob once: documents first, then layers from the lowest. */
export function archiveBlobs(images: readonly SavedImage[]): readonly SavedBlob[] {
  const documents = images.flatMap(({ manifest, config, indexes, attachments }) => [
    ...indexes,
    manifest,
    config,
    ...attachments.flatMap((attachment) => [attachment.manifest, ...attachment.blobs]),
  ]);
  const layers = images.flatMap((image) => image.layers);
  const distinct = new Map([...documents, ...layers].map((blob) => [blob.digest, blob]));
  return [...distinct.values()];
}

function layoutIndex(images: readonly SavedImage[]) {
  const entries = images.flatMap((image) => [
    ...imageEntries(image),
    ...image.attachments.map(attachmentEntry),
  ]);
  const distinct = new Map(entries.map((entry) => [JSON.stringify(entry), entry]));
  return { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...distinct.values()] };
}

/** One entry for each name, and one without a name for each image that has none. */
function imageEntries(image: SavedImage) {
  const { manifest, names, indexes, platform } = image;
  const own = { ...describe(manifest), platform };
  const named = names.map(({ name, index }) => ({
    ...(index === undefined ? own : describe(index)),
    annotations: { [FULL_NAME]: name, [REF_NAME]: parseReference(name).tag ?? '' },
  }));
  const covered = new Set(names.map(({ index }) => index?.digest));
  const rest = indexes.filter(({ digest }) => !covered.has(digest)).map(describe);
  if (named.length + rest.length === 0) return [own];
  return [...named, ...rest];
}

function attachmentEntry({ manifest, tag }: SavedAttachment) {
  return {
    ...describe(manifest),
    ...(tag === undefined ? {} : { annotations: { [REF_NAME]: tag } }),
  };
}

/**
 * Names are whole: podman would put a short one below `localhost`, and Docker shortens them by
 * itself.
 */
function dockerEntry({ config, layers, names }: SavedImage) {
  return {
    Config: blobPath(config.digest),
    RepoTags: names.length === 0 ? null : names.map(({ name }) => name),
    Layers: layers.map(({ digest }) => blobPath(digest)),
  };
}

function describe({ mediaType, digest, size }: SavedBlob): SavedBlob {
  return { mediaType, digest, size };
}
