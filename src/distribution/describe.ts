/**
 * Describes what a name refers to in its registry, without a download: digest, type and platforms.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import { DEFAULT_LIMITS } from '../images/limits.ts';
import type { Digest } from '../oci/digest.ts';
import { openObject, parseDocument } from '../oci/json/json.ts';
import { parseIndex, parseManifest } from '../oci/manifest.ts';
import { INDEX_TYPES } from '../oci/media-types.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import type { RemoteManifest, Repository } from '../registry/registry.ts';

export interface RemoteDescription {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platforms: readonly RemotePlatform[];
}

export interface RemotePlatform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string | undefined;
}

const Platform = openObject({
  architecture: z.string().max(64),
  os: z.string().max(64),
  variant: z.string().max(64).optional(),
});

/**
 * @param repository the repository that `reference` names
 * @throws A3sError `not-in-registry`, `invalid-image`, `registry-…`
 */
export async function describeRemote(
  repository: Repository,
  reference: Reference,
): Promise<RemoteDescription> {
  const name = familiarName(reference);
  const found = await repository.manifest(reference.digest ?? reference.tag ?? 'latest');
  if (found === undefined) {
    throw new A3sError(
      'not-in-registry',
      `Cannot find ${name}: ${reference.domain} has no such image`,
      {
        remedy: 'Check the name and the tag; if it is private, log in first with a3s-box login.',
      },
    );
  }
  const { mediaType, digest, bytes } = found;
  const platforms = INDEX_TYPES.includes(mediaType)
    ? platformsOf(found)
    : [await platformOf(repository, found)];
  return { mediaType, digest, size: bytes.length, platforms };
}

function platformsOf({ digest, bytes }: RemoteManifest): readonly RemotePlatform[] {
  return parseIndex(bytes, `index ${digest}`)
    .manifests.map(({ platform }) => platform)
    .filter((platform) => platform !== null && platform !== undefined)
    .map(plain);
}

async function platformOf(
  repository: Repository,
  { digest, bytes }: RemoteManifest,
): Promise<RemotePlatform> {
  const { config } = parseManifest(bytes, `manifest ${digest}`, DEFAULT_LIMITS);
  const what = `configuration ${config.digest}`;
  if (config.size > DEFAULT_LIMITS.documentBytes) {
    throw new A3sError('too-large', `Cannot read ${what}: it has ${config.size} bytes`);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of repository.blob(config)) chunks.push(chunk);
  return plain(parseDocument(Buffer.concat(chunks), Platform, what));
}

function plain({ architecture, os, variant }: RemotePlatform): RemotePlatform {
  return { architecture, os, ...(variant === undefined ? {} : { variant }) };
}
