/**
 * The files of an archive by their names in it, whatever it is: a tar or a directory.
 *
 * @module
 */
import { type Digest, hexOf } from '../../oci/digest.ts';
import type { StagedFile } from '../content/staging.ts';

export interface ArchiveFiles {
  /** What the archive is, for messages. */
  readonly what: string;
  /** A hashed copy of the file; undefined where the archive has no such file. */
  file(name: string): Promise<StagedFile | undefined>;
}

/** Where an OCI layout has a blob. */
export function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}
