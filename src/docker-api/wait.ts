/**
 * How a box ended.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from './document.ts';

export const Waited = z.strictObject({ StatusCode: z.int() });
export type Waited = Document<typeof Waited>;
