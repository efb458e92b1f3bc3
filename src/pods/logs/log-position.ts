/**
 * How far the log of a container has come: what a record keeps of it.
 *
 * @module
 */
import * as z from 'zod';

export const LogPosition = z.strictObject({
  /** Everything of the agent's output below it is in the file, or is lost. */
  offset: z.int().min(0),
  /** Bytes of each stream from `offset` on that are there too. */
  written: z.strictObject({ stdout: z.int().min(0), stderr: z.int().min(0) }),
  /** The file, and its length at that time. What it has beyond was written since. */
  file: z.strictObject({ inode: z.string(), size: z.int().min(0) }).optional(),
  /** Lines, and parts of lines, that could not be written. */
  lost: z.int().min(0),
  /** Why the last of these could not. */
  error: z.string(),
});
export type LogPosition = z.infer<typeof LogPosition>;

export const LOG_START: LogPosition = {
  ...{ offset: 0, written: { stdout: 0, stderr: 0 } },
  ...{ lost: 0, error: '' },
};
