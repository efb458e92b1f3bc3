/**
 * The messages between the server and the converter's process.
 *
 * @module
 */
import type { Digest } from '../../oci/digest.ts';
import type { Limits } from '../limits.ts';

/** Descriptor from which the job is read; standard input is the program itself. */
export const JOB_DESCRIPTOR = 3;

export interface JobLayer {
  readonly diffId: Digest;
  readonly size: number;
  /** Open for reading. */
  readonly fd: number;
}

/** One job of one converter process. */
export interface Job {
  readonly layers: readonly JobLayer[];
  /** As in `DiskSource`; null for undefined. */
  readonly below: readonly JobLayer[] | null;
  /** The disk to write; null to check the layers only. */
  readonly output: number | null;
  /** Empty, for what has to be read again; null where nothing is written. */
  readonly scratch: number | null;
  /** Bytes that may be written. */
  readonly space: number;
  /** Names the place of the output in errors. */
  readonly directory: string;
  readonly limits: Limits;
}
