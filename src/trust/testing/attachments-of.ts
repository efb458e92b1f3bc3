/**
 * Images and what is attached to them, straight from a registry without authentication.
 *
 * @module
 */
import * as z from 'zod';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestOf } from './policies.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

const Index = z.object({ manifests: z.array(z.object({ digest: z.string() })) });
const Layers = z.object({ layers: z.array(z.object({ digest: z.string() })) });

/** An image without layers, different in each repository. */
export async function pushManifest(registry: string, repository: string): Promise<Digest> {
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', repository }));
  const started = await fetch(`${registry}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const upload = new URL(started.headers.get('location') ?? '', registry);
  upload.searchParams.set('digest', digestOf(config));
  await expectOk(fetch(upload, { method: 'PUT', body: new Uint8Array(config) }));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: digestOf(config),
        size: config.length,
      },
      layers: [],
    }),
  );
  const url = `${registry}/v2/${repository}/manifests/1`;
  const headers = { 'content-type': MANIFEST };
  await expectOk(fetch(url, { method: 'PUT', headers, body: new Uint8Array(manifest) }));
  return digestOf(manifest);
}

/** By cosign's two tags, and by the tag for registries that have no API for referrers. */
export async function attachmentsOf(
  registry: string,
  repository: string,
  subject: Digest,
): Promise<Attachment[]> {
  const base = `${registry}/v2/${repository}`;
  const tag = subject.replace(':', '-');
  const found: Attachment[] = [];
  for (const suffix of ['sig', 'att']) {
    const manifest = await get(`${base}/manifests/${tag}.${suffix}`, MANIFEST);
    if (manifest !== undefined) found.push(await whole(base, subject, 'tag', manifest));
  }
  const index = await get(`${base}/manifests/${tag}`, INDEX);
  const listed = index === undefined ? [] : Index.parse(JSON.parse(index.toString())).manifests;
  for (const { digest } of listed) {
    const manifest = await get(`${base}/manifests/${digest}`, MANIFEST);
    if (manifest !== undefined) found.push(await whole(base, subject, 'referrer', manifest));
  }
  return found;
}

async function whole(
  base: string,
  subject: Digest,
  attachedBy: Attachment['attachedBy'],
  manifest: Buffer,
): Promise<Attachment> {
  const blobs = new Map<Digest, Buffer>();
  for (const { digest } of Layers.parse(JSON.parse(manifest.toString())).layers) {
    const blob = await get(`${base}/blobs/${digest}`, '*/*');
    if (blob !== undefined) blobs.set(digestOf(blob), blob);
  }
  return { subject, attachedBy, digest: digestOf(manifest), mediaType: MANIFEST, manifest, blobs };
}

async function get(url: string, accept: string): Promise<Buffer | undefined> {
  const response = await fetch(url, { headers: { accept } });
  if (response.status === 404) return undefined;
  return Buffer.from(await (await expectOk(response)).arrayBuffer());
}

async function expectOk(asked: Response | Promise<Response>): Promise<Response> {
  const response = await asked;
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return response;
}
