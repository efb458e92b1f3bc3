/**
 * `import`: an image of a root filesystem, with one layer and a new configuration.
 *
 * The layer's entries are checked like those of any other layer, when its disk is made.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Digest, Digester } from '../../oci/digest.ts';
import { OCI_MANIFEST } from '../../oci/media-types.ts';
import { canRun, type Platform } from '../../oci/platform.ts';
import { type ImagePlan, readConfig, wrongPlatform } from '../archive/image-plan.ts';
import { makeManifest } from '../archive/make-manifest.ts';
import { bytesOf, type StagedFile, Staging, streamFile } from '../content/staging.ts';
import { decompress } from '../decompress.ts';
import { possibleDisks } from '../disks.ts';
import type { Image } from '../image.ts';
import { LayerLoader } from '../layer-loader.ts';
import { storeImage } from '../store-image.ts';
import type { StoreParts } from '../store-parts.ts';
import { lockAndSweep } from '../sweep.ts';
import { tagTarget } from '../tag/tag-target.ts';
import { applyChanges } from './changes.ts';
import type { ImportOptions } from './import-options.ts';

const WHAT = 'the root filesystem';
const MAX_MESSAGE = 4096;

/**
 * @param tar plain, or compressed with gzip or zstd; it is kept as it came
 * @throws A3sError `invalid-image`, `too-large`, `disk-full`, `invalid-reference`, and what
 * `applyChanges` refuses
 */
export async function importImage(
  parts: StoreParts,
  tar: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<Image> {
  const names = options.name === undefined ? [] : [tagTarget(options.name)];
  const platform = options.platform ?? parts.platform;
  if (!canRun(platform, parts.platform)) throw wrongPlatform(WHAT, platform, parts.platform);
  if (options.message.length > MAX_MESSAGE) {
    throw new A3sError('invalid-argument', `A message has up to ${MAX_MESSAGE} characters`);
  }
  const config = applyChanges(options.changes);
  const staging = await Staging.create(parts.staging);
  try {
    const plan = await planImage(tar, names, { ...options, platform, config }, staging, parts);
    return await parts.diskPins.hold(possibleDisks(plan.layers), async () => {
      const images = await new LayerLoader(parts.disks).load([plan]);
      return await storeImage(parts, onlyOf(images), 'import');
    });
  } catch (error) {
    // The disk may have been made before the image was refused.
    await lockAndSweep(parts);
    throw error;
  } finally {
    await staging.remove();
  }
}

interface Document {
  readonly created: string;
  readonly message: string;
  readonly platform: Platform;
  readonly config: ReturnType<typeof applyChanges>;
}

async function planImage(
  tar: AsyncIterable<Uint8Array>,
  names: readonly string[],
  { created, message, platform, config }: Document,
  staging: Staging,
  parts: StoreParts,
): Promise<ImagePlan> {
  const blob = await staging.add(tar);
  if (blob.size === 0) {
    throw new A3sError('invalid-image', `Cannot import ${WHAT}: it is empty`, {
      remedy: 'Give a tar, plain or compressed with gzip or zstd.',
    });
  }
  const layers = [{ diffId: await digestOfContent(blob, parts), blob }];
  const document = {
    created,
    architecture: platform.architecture,
    os: platform.os,
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: [{ created, comment: message }],
  };
  const configBlob = await staging.add(bytesOf(Buffer.from(JSON.stringify(document))));
  return {
    names,
    manifest: await staging.add(bytesOf(await makeManifest(configBlob, layers))),
    mediaType: OCI_MANIFEST,
    configBlob,
    config: await readConfig(configBlob, layers.length, { limits: parts.limits, platform }),
    layers,
  };
}

async function digestOfContent(blob: StagedFile, { limits, spawn }: StoreParts): Promise<Digest> {
  const digester = new Digester();
  const plain = decompress(streamFile(blob.path), {
    what: WHAT,
    maxBytes: limits.layerBytes,
    spawn,
    gunzip: 'jail',
  });
  for await (const chunk of plain) digester.update(chunk);
  return digester.digest();
}

function onlyOf<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new RangeError('one image was planned and none was loaded');
  return item;
}
