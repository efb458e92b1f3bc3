/**
 * The record of a snapshot: a box at one moment, with its memory or its disk alone.
 *
 * @module
 */
import * as z from 'zod';
import { CHANGES_SERIALS } from '../engine/vm/slots.ts';

const Extent = z.strictObject({ offset: z.int().min(0), bytes: z.int().min(1) });

/** A VM as it was saved, which its forks have to be like. */
export const SavedMachine = z.strictObject({
  arrangement: z.enum(['boot', 'template']),
  changesSerial: z.enum(CHANGES_SERIALS),
  memory: Extent,
  growth: Extent.optional(),
});

export const SnapshotRecord = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string(),
  /** What there is of the box: memory and disk, or the disk alone. Old records have memory. */
  kind: z.enum(['memory', 'disk']).default('memory'),
  createdAt: z.string(),
  /** The box that it was made of, which may be gone. */
  box: z.strictObject({ id: z.string(), name: z.string(), image: z.string() }),
  /** Digest of the boot set that boxes from it use. */
  bootSet: z.string(),
  /** The box's definition, which this module does not interpret. */
  definition: z.unknown(),
  /** Undefined while it is made. */
  saved: z
    .strictObject({
      /** Of a memory snapshot alone. */
      machine: SavedMachine.optional(),
      /** Bytes that its main process had written. Of a memory snapshot alone. */
      written: z.int().min(0).optional(),
      /** Of memory that it takes; 0 for one of a disk. */
      bytes: z.int().min(0),
      /** How long the box was paused, in milliseconds. */
      pausedMs: z.number().min(0),
    })
    .optional(),
});
export type SnapshotRecord = z.infer<typeof SnapshotRecord>;

/** A completed snapshot. */
export type Snapshot = SnapshotRecord & { readonly saved: NonNullable<SnapshotRecord['saved']> };

type Saved = Snapshot['saved'];

/** A completed memory snapshot. */
export type MemorySnapshot = Omit<Snapshot, 'saved'> & {
  readonly saved: Omit<Saved, 'machine' | 'written'> & {
    readonly machine: NonNullable<Saved['machine']>;
    readonly written: NonNullable<Saved['written']>;
  };
};
