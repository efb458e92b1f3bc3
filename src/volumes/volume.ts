/**
 * What a volume is on record.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import { Bound } from './bound.ts';
import { Sealed } from './sealed.ts';

export const Volume = z.strictObject({
  name: z.string(),
  createdAt: z.string(),
  labels: z.record(z.string(), z.string()),
  /** Its name was made up; it goes with the box that it was made for. */
  anonymous: z.boolean(),
  /** Nobody sees one whose place is not made yet, or whose files go. */
  state: z.enum(['making', 'present', 'removing']),
  /** The driver's options, as they were given. Old records have none. */
  options: z.record(z.string(), z.string()).default({}),
  /** The size of its disk. Absent: it is a directory. */
  diskBytes: z.int().min(1).optional(),
  /** The host's directory that it is. Absent: one of its own. */
  bound: Bound.optional(),
  /** Its disk is for guests that seal its key. Absent: a box that mounts it needs no key. */
  sealed: Sealed.optional(),
});
/** A directory of the host's, or a disk, that outlives the boxes that mount it. */
export type Volume = z.infer<typeof Volume>;

/** How a volume that is made keeps its files. */
export interface VolumeKind {
  /** The driver's options, as they were given. */
  readonly options: Readonly<Record<string, string>>;
  /** The size of its disk; undefined: it is a directory. */
  readonly diskBytes?: number | undefined;
  /** The disk stays empty until a guest makes a sealed volume of it. */
  readonly sealed?: true | undefined;
  /** The path of a directory of the host's that it is; undefined: it is one of its own. */
  readonly device?: string | undefined;
}

/** The kind of a volume that was asked for without options. */
export const DIRECTORY: VolumeKind = { options: {} };

/** Docker's label of an anonymous volume. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** Of a directory on Linux. */
const MAX_NAME = 255;

/** @throws A3sError `invalid-argument`, in Docker's words */
export function checkVolumeName(name: string): string {
  if (name.length === 1) {
    throw new A3sError(
      'invalid-argument',
      'volume name is too short, names should be at least two alphanumeric characters',
      { remedy: 'Give it a longer name, or none, and one is made.' },
    );
  }
  if (NAME.test(name) && name.length <= MAX_NAME) return name;
  const shown = name.slice(0, 128);
  throw new A3sError(
    'invalid-argument',
    `create ${shown}: "${shown}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`,
    { remedy: 'Write a host directory as an absolute path.' },
  );
}
