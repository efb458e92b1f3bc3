/**
 * A filesystem in the guest's memory, on record.
 *
 * @module
 */
import { TMPFS_FLAGS } from '@a3s-box/policies';
import * as z from 'zod';

/** How it was asked for, for `inspect`: by a path with options, or in the long form. */
const Asked = z.discriminatedUnion('form', [
  z.strictObject({ form: z.literal('short'), path: z.string(), options: z.string() }),
  z.strictObject({
    form: z.literal('long'),
    sizeBytes: z.int(),
    mode: z.int(),
    options: z.array(z.array(z.string())),
  }),
]);

export const TmpfsMount = z.strictObject({
  destination: z.string(),
  readonly: z.boolean(),
  /**
   * Its size in bytes, 0 for no bound but the box's memory; or in percent of that memory. Absent:
   * half of it.
   */
  size: z
    .union([z.strictObject({ bytes: z.int().min(0) }), z.strictObject({ percent: z.int().min(0) })])
    .optional(),
  /** Absent: the permissions of the directory that the image has there, else 01777. */
  mode: z.int().optional(),
  uid: z.int().optional(),
  gid: z.int().optional(),
  /** The most files; 0: unlimited. */
  inodes: z.int().optional(),
  /** Sorted. */
  flags: z.array(z.enum(TMPFS_FLAGS)),
  asked: Asked,
});
export type TmpfsMount = z.infer<typeof TmpfsMount>;
