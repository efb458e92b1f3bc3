/**
 * An image with the layers of another one and a further layer: what a commit makes.
 *
 * The new layer is not trusted. Its entries are checked like those of a layer from a registry, when
 * its disk is made.
 *
 * @module
 */
import { OCI_MANIFEST } from '../../oci/media-types.ts';
import { type PlannedLayer, readConfig } from '../archive/image-plan.ts';
import { makeManifest } from '../archive/make-manifest.ts';
import type { ImageRecord } from '../catalog/catalog.ts';
import { noSuchImage } from '../catalog/resolve.ts';
import { Staging } from '../content/staging.ts';
import { readStoredDocument } from '../content/stored-document.ts';
import { type PlannableLayer, possibleDisks } from '../disks.ts';
import type { Image } from '../image.ts';
import { LayerLoader } from '../layer-loader.ts';
import { storeImage } from '../store-image.ts';
import type { StoreParts } from '../store-parts.ts';
import { lockAndSweep } from '../sweep.ts';
import { tagTarget } from '../tag/tag-target.ts';
import { childDocument } from './child-document.ts';
import { checkExtendOptions, type ExtendOptions } from './extend-options.ts';
import { isEmptyLayer, stageLayer } from './stage-layer.ts';

type Layer = PlannedLayer & PlannableLayer;

/**
 * @param layer a plain tar; an archive without entries adds no layer
 * @throws A3sError `no-such-image` where the parent is gone, `invalid-image`, `too-large`,
 * `disk-full`, `invalid-reference`, `invalid-argument`; what the layer throws. Then nothing of the
 * image is left.
 */
export async function extendImage(
  parts: StoreParts,
  parent: Image,
  layer: AsyncIterable<Uint8Array>,
  options: ExtendOptions,
): Promise<Image> {
  checkExtendOptions(options);
  return await holdParent(parts, parent, async (record) => {
    const staging = await Staging.create(parts.staging);
    try {
      return await makeImage(parts, record, await stageLayer(layer, staging, parts.limits), {
        ...{ staging, options },
      });
    } catch (error) {
      // The disk may have been made before the image was refused.
      await lockAndSweep(parts);
      throw error;
    } finally {
      await staging.remove();
    }
  });
}

/** The parent's files stay while `work` runs, even when the parent is removed meanwhile. */
async function holdParent<T>(
  { catalog, blobPins, lock }: StoreParts,
  { id, manifestDigest }: Image,
  work: (parent: ImageRecord) => Promise<T>,
): Promise<T> {
  const record = catalog.byManifest(manifestDigest);
  if (record === undefined) throw noSuchImage(id);
  return await blobPins.hold([record.id, ...record.layers.map(({ blob }) => blob)], async () => {
    // A sweep that does not know of the pins may be under way.
    await lock.run(() => Promise.resolve());
    if (catalog.byManifest(manifestDigest) === undefined) throw noSuchImage(id);
    return await work(record);
  });
}

async function makeImage(
  parts: StoreParts,
  parent: ImageRecord,
  added: PlannedLayer,
  { staging, options }: { readonly staging: Staging; readonly options: ExtendOptions },
): Promise<Image> {
  const below = parent.layers.map(({ diffId, blob, size, implicit }): Layer => {
    return { diffId, implicit, blob: { path: parts.blobs.path(blob), size, digest: blob } };
  });
  const empty = isEmptyLayer(added);
  const names = options.name === undefined ? [] : [tagTarget(options.name)];
  const planned = empty ? below : [...below, added];
  return await parts.diskPins.hold(possibleDisks(planned), async () => {
    const layers = empty ? below : [...below, await load(parts, below, added)];
    const document = childDocument(await readStoredDocument(parent.id, parts), {
      ...{ options, empty, what: `configuration ${parent.id}` },
      ...{ diffIds: layers.map(({ diffId }) => diffId), parentLayers: below.length },
    });
    const configBlob = await staging.addBytes(document);
    const image = {
      ...{ names, mediaType: OCI_MANIFEST, configBlob, layers },
      manifest: await staging.addBytes(await makeManifest(configBlob, layers)),
      config: await readConfig(configBlob, layers.length, {
        limits: parts.limits,
        platform: parent,
      }),
    };
    return await storeImage(parts, image, 'commit', parent.id);
  });
}

/** Checks the new layer by making its disk. Those of the parent were checked when they came. */
async function load(
  { disks }: StoreParts,
  below: readonly Layer[],
  added: PlannedLayer,
): Promise<Layer> {
  const loader = new LayerLoader(disks);
  const layer = { ...added, implicit: await loader.dependsOnOthers(added) };
  await loader.finish([...below, layer]);
  return layer;
}
