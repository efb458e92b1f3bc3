/**
 * What create and exec both say of a process.
 *
 * @module
 */
import * as z from 'zod';

/** The kernel's own bound for one argument, and for all of them. */
export const text = z
  .string()
  .max(128 * 1024)
  .refine((value) => !value.includes('\0'), { error: 'must not contain a NUL character' });
export const texts = z.array(text).max(65_536);
export const environment = z
  .array(text.regex(/^[^=]/, { error: 'must be NAME=value' }))
  .max(65_536);
/** Rows, then columns. */
export const consoleSize = z
  .tuple([z.int().min(0).max(65_535), z.int().min(0).max(65_535)])
  .nullish()
  .transform((size) => size ?? undefined);
