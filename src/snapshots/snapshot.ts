/**
 * The record of a memory snapshot: the state of a running box at one moment.
 *
 * @module
 */
import * as z from 'zod';
import { CHANGES_SERIALS } from '../engine/engine.ts';

const Extent = z.strictObject({ offset: z.int().min(0), bytes: z.int().min(1) });

export const SnapshotRecord = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string(),
  createdAt: z.string(),
  /** The box that it was made of, which may be gone. */
  box: z.strictObject({ id: z.string(), name: z.string(), image: z.string() }),
  /** Digest of the boot set whose kernel is in its memory. */
  bootSet: z.string(),
  /** The box's definition, which this module does not interpret. */
  definition: z.unknown(),
  /** Undefined while it is made. */
  saved: z
    .strictObject({
      machine: z.strictObject({
        arrangement: z.enum(['boot', 'template']),
        changesSerial: z.enum(CHANGES_SERIALS),
        memory: Extent,
        growth: Extent.optional(),
      }),
      /** Bytes that its main process had written. */
      written: z.int().min(0),
      /** Of memory that it takes. */
      bytes: z.int().min(0),
      /** How long the box was paused, in milliseconds. */
      pausedMs: z.number().min(0),
    })
    .optional(),
});
export type SnapshotRecord = z.infer<typeof SnapshotRecord>;

/** A completed snapshot. */
export type Snapshot = SnapshotRecord & { readonly saved: NonNullable<SnapshotRecord['saved']> };
