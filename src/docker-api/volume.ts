/**
 * The documents of volumes.
 *
 * @module
 */
import * as z from 'zod';
import { text } from './containers/process.ts';
import type { Document } from './document.ts';

const words = z.record(z.string().max(1024), text);

export const VolumeCreateBody = z.strictObject({
  /** Empty: a name of 64 hexadecimal digits is made, and the volume is anonymous. */
  Name: z.string().max(1024).default(''),
  Driver: z.string().max(256).default('local'),
  DriverOpts: words.default({}),
  Labels: words.default({}),
});
export type VolumeCreateBody = Document<typeof VolumeCreateBody>;

export const Volume = z.strictObject({
  CreatedAt: z.string(),
  Driver: z.literal('local'),
  Labels: z.record(z.string(), z.string()).nullable(),
  /** The directory of the host that has its files, or the file that is its disk. */
  Mountpoint: z.string(),
  Name: z.string(),
  Options: z.record(z.string(), z.string()).nullable(),
  Scope: z.literal('local'),
  /**
   * Of the inspection of a disk alone: its size, what it takes on the host, and the id of the box
   * that has it.
   */
  Status: z
    .strictObject({
      ...{ SizeBytes: z.int(), AllocatedBytes: z.int(), Box: z.string() },
      /** Of a sealed volume, with its id as the last guest reported; empty before one has. */
      Sealed: z.literal(true).optional(),
      Id: z.string().optional(),
    })
    .optional(),
  /** Of `system df` alone: bytes on the disk, and the boxes that mount it. */
  UsageData: z.strictObject({ Size: z.int(), RefCount: z.int() }).optional(),
});
export type Volume = Document<typeof Volume>;

export const VolumeList = z.strictObject({
  Volumes: z.array(Volume),
  Warnings: z.array(z.string()),
});
export type VolumeList = Document<typeof VolumeList>;

export const VolumesPruned = z.strictObject({
  VolumesDeleted: z.array(z.string()),
  SpaceReclaimed: z.int(),
});
export type VolumesPruned = Document<typeof VolumesPruned>;
