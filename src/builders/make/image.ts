/**
 * Writes the image of a builder as an OCI layout: equal roots give equal bytes.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256OfFile } from '../../boot/digest.ts';
import { runTool } from '../../boot/make/tool.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

export interface WrittenImage {
  readonly manifestDigest: string;
  readonly layerBytes: number;
}

/** @param name what the store calls it */
export async function writeImage(
  root: string,
  layout: string,
  name: string,
): Promise<WrittenImage> {
  const blobs = join(layout, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  const tar = join(blobs, 'layer.new');
  const fixed = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  const form = ['--format=gnu', '--mode=u=rwX,go=rX', '--no-xattrs', '--no-acls', '--no-selinux'];
  await runTool('tar', ['-c', '-f', tar, '-C', root, ...fixed, ...form, '.'], {
    remedy: 'Use GNU tar.',
  });
  const layer = await sha256OfFile(tar);
  const layerBytes = (await stat(tar)).size;
  await rename(tar, join(blobs, layer));
  const config = await put(blobs, CONFIG, {
    architecture: 'amd64',
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: {
      Entrypoint: ['/usr/lib/a3s-builder/start'],
      Env: ['PATH=/usr/sbin:/usr/bin', 'HOME=/root'],
      StopSignal: 'SIGTERM',
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'a3s-box setup' }],
  });
  const manifest = await put(blobs, MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config,
    layers: [{ mediaType: LAYER, digest: `sha256:${layer}`, size: layerBytes }],
  });
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const index = {
    schemaVersion: 2,
    manifests: [{ ...manifest, annotations: { 'io.containerd.image.name': name } }],
  };
  await writeFile(join(layout, 'index.json'), JSON.stringify(index));
  return { manifestDigest: manifest.digest, layerBytes };
}

/** Stores a document, and describes it. */
async function put(blobs: string, mediaType: string, document: unknown) {
  const bytes = Buffer.from(JSON.stringify(document));
  const digest = createHash('sha256').update(bytes).digest('hex');
  await writeFile(join(blobs, digest), bytes);
  return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
}
