/**
 * The paths of a box that differ from its image.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

export const Changes = z.array(
  z.strictObject({
    Path: z.string(),
    /** 0: modified, 1: added, 2: deleted. */
    Kind: z.int(),
  }),
);
export type Changes = Document<typeof Changes>;
