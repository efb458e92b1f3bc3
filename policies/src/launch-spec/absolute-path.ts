/**
 * Texts and paths of box specs and launch specs.
 *
 * @module
 */
import * as z from 'zod';

/** The longest argument or environment entry, in characters; the kernel's own bound is 128 KiB. */
const MAX_STRING = 128 * 1024;

export const text = z
  .string()
  .max(MAX_STRING)
  .refine((value) => !value.includes('\0'), { error: 'must not contain a NUL character' });

export const absolutePath = text.max(4096).refine((path) => path.startsWith('/'), {
  error: 'must be an absolute path',
});
