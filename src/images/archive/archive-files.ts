/**
 * The files of an archive by their names in it, whatever it is: a tar or a directory.
 *
 * @module
 */
import type { StagedFile } from '../staging.ts';

export interface ArchiveFiles {
  /** What the archive is, for messages. */
  readonly what: string;
  /** A copy of the file, hashed; undefined where there is none. */
  file(name: string): Promise<StagedFile | undefined>;
}
