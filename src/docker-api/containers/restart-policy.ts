/**
 * The restart policy of the create and update documents.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

export const RestartPolicy = z.strictObject({
  Name: z.string().max(64).default(''),
  MaximumRetryCount: z.int().default(0),
});

export type RestartPolicy = Document<typeof RestartPolicy>;
