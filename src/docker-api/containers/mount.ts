/**
 * A mount in the long form, as clients ask for it.
 *
 * @module
 */
import * as z from 'zod';
import { text } from './process.ts';

const PROPAGATION = ['', 'private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;

/** The long form of a bind mount, a volume, another image, or a filesystem in memory. */
export const Mount = z.strictObject({
  Type: z.string().max(64),
  /** The host path, the image, or the name of the volume; empty is an anonymous volume. */
  Source: text.max(4096).default(''),
  Target: text.max(4096).default(''),
  ReadOnly: z.boolean().default(false),
  Consistency: z.string().max(64).default(''),
  BindOptions: z
    .strictObject({
      Propagation: z.enum(PROPAGATION).default(''),
      NonRecursive: z.boolean().default(false),
      /** Makes a missing source a directory. */
      CreateMountpoint: z.boolean().default(false),
      ReadOnlyNonRecursive: z.boolean().default(false),
      ReadOnlyForceRecursive: z.boolean().default(false),
    })
    .optional(),
  VolumeOptions: z
    .strictObject({
      /** A new volume stays empty. */
      NoCopy: z.boolean().default(false),
      Labels: z.record(z.string().max(1024), text).default({}),
      DriverConfig: z
        .strictObject({
          Name: z.string().max(256).default(''),
          Options: z.record(z.string().max(1024), text).default({}),
        })
        .optional(),
      /** The part of the volume that is mounted: a path below its root. */
      Subpath: text.max(4096).default(''),
    })
    .optional(),
  ImageOptions: z
    .strictObject({
      /** The part of the image that is mounted: a path below its root. */
      Subpath: text.max(4096).default(''),
    })
    .optional(),
  TmpfsOptions: z
    .strictObject({
      /** 0: half of the box's memory. */
      SizeBytes: z.int().min(0).default(0),
      /**
       * Permissions of its root; 0: those of the directory that the image has there, else 01777.
       */
      Mode: z.int().min(0).max(0xffff_ffff).default(0),
      /** Each is a name, or a name and a value: `["exec"]` or `["noexec"]`. */
      Options: z
        .array(z.array(text.max(256)).max(8))
        .max(64)
        .default([]),
    })
    .optional(),
});
