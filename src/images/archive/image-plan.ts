/**
 * An image of an archive whose documents are checked. Its layers are still to be read.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type ConfigFile, parseConfig } from '../../oci/config.ts';
import { corrupt } from '../../oci/corrupt.ts';
import type { Digest } from '../../oci/digest.ts';
import { type Platform, samePlatform } from '../../oci/platform.ts';
import {
  canonicalName,
  familiarRepository,
  parseReference,
  withDefaultTag,
} from '../../oci/reference.ts';
import type { AttachmentRecord } from '../catalog/catalog.ts';
import { readStaged, type StagedFile } from '../content/staging.ts';
import type { Limits } from '../limits.ts';
import { type ArchiveFiles, blobPath } from './archive-files.ts';

export interface PlannedLayer {
  readonly diffId: Digest;
  readonly blob: StagedFile;
}

/** A signature or an attestation. */
export interface ArchivedAttachment {
  readonly record: AttachmentRecord;
  /** Manifest and blobs. */
  readonly files: readonly StagedFile[];
}

export interface ImagePlan {
  /** Canonical names with a tag. */
  readonly names: readonly string[];
  readonly manifest: StagedFile;
  /** Those of the archive that list the manifest. */
  readonly indexes?: readonly StagedFile[];
  /** What the archive has beside the image and those indexes. */
  readonly attachments?: readonly ArchivedAttachment[];
  readonly mediaType: string;
  readonly configBlob: StagedFile;
  readonly config: ConfigFile;
  readonly layers: readonly PlannedLayer[];
}

export interface PlanOptions {
  readonly limits: Limits;
  readonly platform: Platform;
}

/** A staged file's bytes, within a bound. */
export async function readDocument(
  file: StagedFile,
  what: string,
  limits: Limits,
): Promise<Buffer> {
  if (file.size > limits.documentBytes) {
    throw new A3sError(
      'too-large',
      `Cannot read ${what}: it has ${file.size} bytes, and ${limits.documentBytes} are allowed`,
    );
  }
  return await readStaged(file);
}

/** Reads a configuration and refuses an image of another platform. */
export async function readConfig(
  blob: StagedFile,
  layerCount: number,
  { limits, platform }: PlanOptions,
): Promise<ConfigFile> {
  const what = `configuration ${blob.digest}`;
  const config = parseConfig(await readDocument(blob, what, limits), what);
  if (config.diffIds.length !== layerCount) {
    throw corrupt(what, `it lists ${config.diffIds.length} layers, the manifest ${layerCount}`);
  }
  if (!samePlatform(config, platform)) throw wrongPlatform(what, config, platform);
  return config;
}

export function wrongPlatform(what: string, has: Platform | undefined, needs: Platform): A3sError {
  const name = ({ os, architecture }: Platform): string => `${os}/${architecture}`;
  return new A3sError(
    'invalid-image',
    has === undefined
      ? `Cannot use ${what}: it has no image for ${name(needs)}`
      : `Cannot use ${what}: it is for ${name(has)}, and not for ${name(needs)}`,
    { remedy: `Get the image for ${name(needs)}.` },
  );
}

/** The file of a name that the archive's documents mention. */
export async function requireFile(files: ArchiveFiles, name: string): Promise<StagedFile> {
  const file = await files.file(name);
  if (file !== undefined) return file;
  throw new A3sError(
    'invalid-image',
    `Cannot read ${files.what}: the file ${JSON.stringify(name.slice(0, 200))} is missing`,
    { remedy: 'The archive is incomplete: save it again.' },
  );
}

/** A blob that is exactly what its descriptor says. */
export async function requireBlob(
  files: ArchiveFiles,
  { digest, size }: { readonly digest: Digest; readonly size: number },
): Promise<StagedFile> {
  const file = await requireFile(files, blobPath(digest));
  const what = `blob ${digest}`;
  if (file.size !== size) {
    throw corrupt(what, `it has ${file.size} bytes, and its descriptor says ${size}`);
  }
  if (file.digest !== digest) throw corrupt(what, `its content has the digest ${file.digest}`);
  return file;
}

/** A name of an image in an archive. An unusable name is refused, never changed. */
export function archiveName(text: string, what: string): string {
  const reference = withDefaultTag(parseReference(text));
  const quoted = JSON.stringify(text.slice(0, 200));
  if (reference.tag === undefined || reference.digest !== undefined) {
    throw corrupt(what, `the image name ${quoted} must have a tag only`);
  }
  // `sha256:abc…` on a command line is an id, so no command could use the name.
  if (familiarRepository(reference) === 'sha256') {
    throw corrupt(what, `the image name ${quoted} looks like an id`);
  }
  return canonicalName(reference);
}
