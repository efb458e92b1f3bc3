/**
 * What an installation says of the image that its builders start from.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { A3sError } from '../errors.ts';

/** The file with the document, and the OCI layout beside it. */
export const BUILDER_DOCUMENT = 'builder.json';
export const IMAGE_LAYOUT = 'image';

const BuilderDocument = z.strictObject({
  /** What the store calls the image. */
  name: z.string(),
  manifestDigest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  layerBytes: z.int().min(1),
  /** What the image was made of. */
  packages: z.array(
    z.strictObject({
      package: z.string(),
      version: z.string(),
      sha256: z.string(),
      size: z.int().min(1),
    }),
  ),
});
export type BuilderDocument = z.infer<typeof BuilderDocument>;

/** @throws A3sError `builder-missing` */
export async function readBuilderDocument(directory: string): Promise<BuilderDocument> {
  try {
    const text = await readFile(join(directory, BUILDER_DOCUMENT), 'utf8');
    return BuilderDocument.parse(JSON.parse(text));
  } catch (error) {
    throw new A3sError(
      'builder-missing',
      'Cannot build: this installation has no image of a builder',
      { remedy: 'Make it with npm run setup.', cause: error },
    );
  }
}
