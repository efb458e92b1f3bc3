/**
 * How a box ended.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

export const Waited = z.strictObject({
  StatusCode: z.int(),
  /** Of a run that did not end on its own: why. `docker run` prints it, and exits with 125. */
  Error: z.strictObject({ Message: z.string() }).optional(),
});
export type Waited = Document<typeof Waited>;
