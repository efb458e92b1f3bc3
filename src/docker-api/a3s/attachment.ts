/**
 * What lies beside an image: signatures, attestations, bundles.
 *
 * @module
 */
import * as z from 'zod';
import { digestText } from '../../oci/digest-text.ts';
import type { Document } from '../document.ts';

/** Longest layer that is kept beside an image. */
const MAX_LAYER = 16 * 1024 * 1024;
const MAX_LAYERS = 64;
const MAX_ANNOTATION = 256 * 1024;

const AttachmentLayer = z
  .strictObject({
    mediaType: z.string().max(255),
    annotations: z.record(z.string().max(256), z.string().max(MAX_ANNOTATION)).default({}),
    data: z.string().refine((text) => Buffer.from(text, 'base64').toString('base64') === text, {
      error: 'must be base64',
    }),
  })
  .refine(({ data }) => data !== '' && Buffer.byteLength(data, 'base64') <= MAX_LAYER, {
    error: `must be 1 to ${MAX_LAYER} bytes`,
  });
export type AttachmentLayer = Document<typeof AttachmentLayer>;

/** The document that puts a signature or an attestation beside an image. */
export const AttachmentBody = z.strictObject({
  kind: z.enum(['signature', 'attestation']),
  /** The subject of the attachment; the image's own manifest where it is absent. */
  subject: digestText.optional(),
  layers: z.array(AttachmentLayer).min(1).max(MAX_LAYERS),
});
export type AttachmentBody = Document<typeof AttachmentBody>;

/** The artifact that has the addition, and what it is attached to. */
export const Attached = z.strictObject({ digest: digestText, subject: digestText });
export type Attached = Document<typeof Attached>;

export const AttachmentShown = z.strictObject({
  subject: digestText,
  attachedBy: z.enum(['tag', 'referrer']),
  digest: digestText,
  mediaType: z.string(),
  /** Encoded in base64, as `data` is. */
  manifest: z.base64(),
  blobs: z.array(
    z.strictObject({ digest: digestText, size: z.int(), data: z.base64().optional() }),
  ),
});
export type AttachmentShown = Document<typeof AttachmentShown>;
