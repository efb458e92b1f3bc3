/**
 * A filesystem in the guest's memory, as box specs and launch specs describe it.
 *
 * @module
 */
import * as z from 'zod';
import { absolutePath } from './absolute-path.ts';

/**
 * What a tmpfs has beyond the defaults `nosuid`, `nodev`, `noexec` and `relatime`. There is no
 * `dev`: the devices of a box are in its `/dev` alone.
 */
export const TMPFS_FLAGS = [
  'dirsync',
  'exec',
  'noatime',
  'nodiratime',
  'strictatime',
  'suid',
  'sync',
] as const;

/** Ids of users and groups; the last one of 32 bits means none. */
const id = z
  .int()
  .min(0)
  .max(2 ** 32 - 2);

export const Tmpfs = z.strictObject({
  destination: absolutePath,
  readonly: z.boolean(),
  /** 0: nothing but the box's memory limit bounds it. */
  sizeBytes: z.int().min(0),
  /**
   * Permissions of its root. Absent: those of the directory that the image has there, else 01777.
   */
  mode: z.int().min(0).max(0o7777).optional(),
  /** Owner of its root. Absent is 0. */
  uid: id.optional(),
  gid: id.optional(),
  /** The most files; 0: unlimited. Absent: as many as the kernel permits by itself. */
  inodes: z.int().min(0).optional(),
  /** Sorted, each once. */
  flags: z
    .array(z.enum(TMPFS_FLAGS))
    .refine((flags) => flags.every((flag, at) => at === 0 || (flags[at - 1] ?? '') < flag), {
      error: 'must be sorted, each once',
    })
    .refine((flags) => !(flags.includes('noatime') && flags.includes('strictatime')), {
      error: 'must not have noatime beside strictatime',
    }),
});
export type Tmpfs = z.infer<typeof Tmpfs>;

/** The size of `/dev/shm`, in bytes. Absent is 64 MiB. */
export const shmBytes = z.int().min(1).optional();
