/**
 * What a box's processes may do, as the create document has it.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from './document.ts';
import { text } from './process.ts';

const names = z.array(text.max(256)).max(256).default([]);

/** Absent is what Docker gives every container. */
export const PROCESS_OPTION_FIELDS = {
  CapAdd: names,
  CapDrop: names,
};
export const ProcessOptions = z.strictObject(PROCESS_OPTION_FIELDS);
export type ProcessOptions = Document<typeof ProcessOptions>;
