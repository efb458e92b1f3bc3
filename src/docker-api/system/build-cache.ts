/**
 * A record of a builder's cache, in `GET /system/df`.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

export const BuildCache = z.strictObject({
  ID: z.string(),
  Parents: z.array(z.string()).optional(),
  /** Such as `regular`, `source.local` and `exec.cachemount`. */
  Type: z.string(),
  Description: z.string(),
  InUse: z.boolean(),
  /** Whether its bytes count to an image of the builder as well. */
  Shared: z.boolean(),
  Size: z.int(),
  CreatedAt: z.string(),
  LastUsedAt: z.string().nullable(),
  UsageCount: z.int(),
});
export type BuildCache = Document<typeof BuildCache>;
