/**
 * Finds the images of an OCI layout (image-spec, image-layout.md).
 *
 * @module
 */
import * as z from 'zod';
import { corrupt } from '../../oci/corrupt.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseDocument } from '../../oci/json/json.ts';
import {
  type Descriptor,
  type Index,
  isIndex,
  isManifest,
  parseIndex,
  parseManifest,
} from '../../oci/manifest.ts';
import { samePlatform } from '../../oci/platform.ts';
import type { StagedFile } from '../content/staging.ts';
import type { ArchiveFiles } from './archive-files.ts';
import { splitLayout } from './archived-attachments.ts';
import {
  archiveName,
  type ImagePlan,
  type PlannedLayer,
  type PlanOptions,
  readConfig,
  readDocument,
  requireBlob,
  requireFile,
  wrongPlatform,
} from './image-plan.ts';

/**
 * Docker and containerd write the full name into this annotation, and only the tag into the other
 * one.
 */
const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];
const MAX_INDEX_DEPTH = 4;

const LayoutFile = z.looseObject({ imageLayoutVersion: z.literal('1.0.0') });

interface Found {
  readonly descriptor: Descriptor;
  readonly names: Set<string>;
  readonly indexes: Map<Digest, StagedFile>;
}

/** The images for this platform; undefined where the archive is no OCI layout. */
export async function planOciArchive(
  files: ArchiveFiles,
  options: PlanOptions,
): Promise<readonly ImagePlan[] | undefined> {
  const layout = await files.file('oci-layout');
  if (layout === undefined) return undefined;
  const { limits } = options;
  parseDocument(await readDocument(layout, 'oci-layout', limits), LayoutFile, 'oci-layout');
  const indexFile = await requireFile(files, 'index.json');
  const index = parseIndex(await readDocument(indexFile, 'index.json', limits), 'index.json');
  const found = new Map<Digest, Found>();
  const search: Search = { files, options, known: new Map() };
  const { images, attachments } = await splitLayout(index.manifests, files, limits);
  for (const descriptor of images) {
    const manifest = await selectManifest(descriptor, search, 0);
    if (manifest === undefined) continue;
    const known = found.get(manifest.descriptor.digest) ?? {
      descriptor: manifest.descriptor,
      names: new Set(),
      indexes: new Map(),
    };
    for (const name of namesOf(descriptor, files.what)) known.names.add(name);
    const { index } = manifest;
    if (index !== undefined) known.indexes.set(index.digest, index);
    found.set(manifest.descriptor.digest, known);
  }
  if (found.size === 0) throw wrongPlatform(files.what, undefined, options.platform);
  if (found.size > limits.images) {
    throw corrupt(files.what, `it holds more than ${limits.images} images`);
  }
  const plans: ImagePlan[] = [];
  for (const each of found.values()) {
    const plan = await planImage(each, files, options);
    const subjects = [each.descriptor.digest, ...each.indexes.keys()];
    plans.push({
      ...plan,
      attachments: attachments.filter(({ record }) => subjects.includes(record.subject)),
    });
  }
  return plans;
}

function namesOf({ annotations }: Descriptor, what: string): string[] {
  for (const key of NAME_ANNOTATIONS) {
    const name = annotations?.[key];
    if (name !== undefined && name !== '') return [archiveName(name, what)];
  }
  return [];
}

interface Selected {
  readonly descriptor: Descriptor;
  /** The index that lists it, beside that of the archive. */
  readonly index: StagedFile | undefined;
}

interface Search {
  readonly files: ArchiveFiles;
  readonly options: PlanOptions;
  /**
   * The result of each index: without it, indexes that list each other many times over would take
   * for ever.
   */
  readonly known: Map<Digest, Selected | undefined>;
}

/** Follows indexes to the manifest for this platform; undefined where there is none. */
async function selectManifest(
  descriptor: Descriptor,
  search: Search,
  depth: number,
  parent?: StagedFile,
): Promise<Selected | undefined> {
  const { files, options, known } = search;
  const { platform } = descriptor;
  // Attestations stand beside images as platform unknown/unknown.
  if (platform && !samePlatform(platform, options.platform)) return undefined;
  if (isManifest(descriptor)) return { descriptor, index: parent };
  if (!isIndex(descriptor)) return undefined;
  if (depth >= MAX_INDEX_DEPTH) throw corrupt(files.what, 'its indexes are nested too deeply');
  if (known.has(descriptor.digest)) return known.get(descriptor.digest);
  const what = `index ${descriptor.digest}`;
  const blob = await requireBlob(files, descriptor);
  const index: Index = parseIndex(await readDocument(blob, what, options.limits), what);
  let selected: Selected | undefined;
  for (const entry of index.manifests) {
    selected = await selectManifest(entry, search, depth + 1, blob);
    if (selected !== undefined) break;
  }
  known.set(descriptor.digest, selected);
  return selected;
}

async function planImage(
  { descriptor, names, indexes }: Found,
  files: ArchiveFiles,
  options: PlanOptions,
): Promise<ImagePlan> {
  const { limits } = options;
  const what = `manifest ${descriptor.digest}`;
  const blob = await requireBlob(files, descriptor);
  const manifest = parseManifest(await readDocument(blob, what, limits), what, limits);
  const configBlob = await requireBlob(files, manifest.config);
  const config = await readConfig(configBlob, manifest.layers.length, options);
  const layers: PlannedLayer[] = [];
  for (const [index, layer] of manifest.layers.entries()) {
    const diffId = config.diffIds[index];
    if (diffId === undefined) throw corrupt(what, 'a layer has no diff ID');
    layers.push({ diffId, blob: await requireBlob(files, layer) });
  }
  return {
    names: [...names],
    manifest: blob,
    indexes: [...indexes.values()],
    mediaType: descriptor.mediaType,
    configBlob,
    config,
    layers,
  };
}
