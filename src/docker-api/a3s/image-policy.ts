/**
 * An image policy that a client hands over, for calls to name by its id.
 *
 * @module
 */
import { isAbsolute } from 'node:path';
import * as z from 'zod';
import type { Document } from '../document.ts';

const MAX_POLICY = 1024 * 1024;
const absolutePath = z
  .string()
  .max(4096)
  .refine((path) => isAbsolute(path) && !path.includes('\0'), { error: 'must be absolute' });

export const ImagePolicyBody = z.strictObject({
  /** YAML or JSON. */
  text: z.string().max(MAX_POLICY),
  /** The directory that the file names in it are relative to. */
  directory: absolutePath,
  /** The file that it was read from, for messages. */
  path: absolutePath.optional(),
});
export type ImagePolicyBody = Document<typeof ImagePolicyBody>;

export const ImagePolicyAdded = z.strictObject({ id: z.string() });
export type ImagePolicyAdded = Document<typeof ImagePolicyAdded>;
