/**
 * What a name stands for in its registry.
 *
 * @module
 */
import * as z from 'zod';
import { digestText } from '../../oci/digest-text.ts';
import type { Document } from '../document.ts';

export const Remote = z.strictObject({
  Descriptor: z.strictObject({ mediaType: z.string(), digest: digestText, size: z.int() }),
  Platforms: z.array(
    z.strictObject({
      architecture: z.string(),
      os: z.string(),
      variant: z.string().optional(),
    }),
  ),
});
export type Remote = Document<typeof Remote>;
