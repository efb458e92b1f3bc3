/**
 * Finds the images of a docker-archive: what `docker save`, `podman save` and
 * `skopeo copy docker-archive:` write.
 *
 * It has no manifest in the sense of OCI, so one is made for each image, always the same for the
 * same content.
 *
 * @module
 */
import * as z from 'zod';
import { corrupt } from '../../oci/corrupt.ts';
import { openObject, parseDocument } from '../../oci/json/json.ts';
import { OCI_MANIFEST } from '../../oci/media-types.ts';
import type { Staging } from '../content/staging.ts';
import type { ArchiveFiles } from './archive-files.ts';
import {
  archiveName,
  type ImagePlan,
  type PlannedLayer,
  type PlanOptions,
  readConfig,
  readDocument,
  requireFile,
} from './image-plan.ts';
import { makeManifest } from './make-manifest.ts';

const ManifestFile = z.array(
  openObject({
    Config: z.string().min(1).max(4096),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string().min(1).max(4096)).nullable(),
  }),
);
type ManifestEntry = z.infer<typeof ManifestFile>[number];

/** The images; undefined where the archive is no docker-archive. */
export async function planDockerArchive(
  files: ArchiveFiles,
  staging: Staging,
  options: PlanOptions,
): Promise<readonly ImagePlan[] | undefined> {
  const file = await files.file('manifest.json');
  if (file === undefined) return undefined;
  const { limits } = options;
  const bytes = await readDocument(file, 'manifest.json', limits);
  const entries = parseDocument(bytes, ManifestFile, 'manifest.json');
  if (entries.length === 0) throw corrupt(files.what, 'it holds no image');
  if (entries.length > limits.images) {
    throw corrupt(files.what, `it holds more than ${limits.images} images`);
  }
  const plans: ImagePlan[] = [];
  for (const entry of entries) plans.push(await planImage(entry, files, staging, options));
  return plans;
}

async function planImage(
  entry: ManifestEntry,
  files: ArchiveFiles,
  staging: Staging,
  options: PlanOptions,
): Promise<ImagePlan> {
  const names = (entry.RepoTags ?? []).map((name) => archiveName(name, files.what));
  const paths = entry.Layers ?? [];
  if (paths.length > options.limits.layers) {
    throw corrupt(files.what, `an image has more than ${options.limits.layers} layers`);
  }
  const configBlob = await requireFile(files, entry.Config);
  const config = await readConfig(configBlob, paths.length, options);
  const layers: PlannedLayer[] = [];
  for (const [index, path] of paths.entries()) {
    const diffId = config.diffIds[index];
    if (diffId === undefined) throw corrupt(files.what, 'a layer has no diff ID');
    layers.push({ diffId, blob: await requireFile(files, path) });
  }
  const manifest = await staging.addBytes(await makeManifest(configBlob, layers));
  return { names, manifest, mediaType: OCI_MANIFEST, configBlob, config, layers };
}
