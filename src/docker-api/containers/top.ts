/**
 * The processes of a box.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

export const Processes = z.strictObject({
  Titles: z.array(z.string()),
  Processes: z.array(z.array(z.string())),
});
export type Processes = Document<typeof Processes>;
