/**
 * The description of a path of a box, in the header `X-Docker-Container-Path-Stat`.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

export const PATH_STAT_HEADER = 'X-Docker-Container-Path-Stat';

export const PathStat = z.strictObject({
  name: z.string(),
  size: z.int(),
  /** The bits of Go's `fs.FileMode`. */
  mode: z.int().min(0).max(0xffff_ffff),
  mtime: z.string(),
  /** The absolute path that a symbolic link leads to; empty for anything else. */
  linkTarget: z.string(),
});
export type PathStat = Document<typeof PathStat>;
