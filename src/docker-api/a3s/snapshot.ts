/**
 * Snapshots of boxes, with their memory or of their disks alone.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

export const Snapshot = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string(),
  kind: z.enum(['memory', 'disk']),
  createdAt: z.string(),
  /** The box that it was made of, which may be gone. */
  box: z.strictObject({ id: z.string(), name: z.string(), image: z.string() }),
  state: z.enum(['creating', 'ready', 'gone']),
  memoryBytes: z.int(),
  /** What the files of its disk have allocated. Boxes may share them. */
  diskBytes: z.int(),
  /** How long the box was paused. */
  pausedMs: z.number(),
  /** Ids of those that run from it. */
  boxes: z.array(z.string()),
});
export type Snapshot = Document<typeof Snapshot>;

export const Snapshots = z.strictObject({ snapshots: z.array(Snapshot) });
export type Snapshots = Document<typeof Snapshots>;

export const SnapshotsPruned = z.strictObject({
  removed: z.array(z.string()),
  /** Of memory. What was freed of disks is not known: boxes may share their files. */
  freedBytes: z.int(),
});
export type SnapshotsPruned = Document<typeof SnapshotsPruned>;

/** The document that a snapshot is made by. */
export const SnapshotBody = z.strictObject({
  box: z.string().max(1024),
  name: z.string().max(1024).optional(),
  /** False: of the disk alone, for a box that runs or does not. */
  memory: z.boolean().default(true),
});
export type SnapshotBody = Document<typeof SnapshotBody>;

export const SnapshotCreated = Snapshot.extend({ warnings: z.array(z.string()) });
export type SnapshotCreated = Document<typeof SnapshotCreated>;
