/**
 * The image that the tests of a killed pull use.
 *
 * @module
 */

import { digestOf } from '../../oci/digest.ts';
import type { Attachment } from '../attachments/attachment.ts';
import { buildImage } from './build-image.ts';

export const PULLED = buildImage({
  layers: ['a', 'b', 'c'].map((name) => [{ path: name, data: Buffer.alloc(2_000_000, name) }]),
  compression: 'none',
});

export function pulledAttachment(): Attachment {
  const blob = Buffer.from('a signature');
  const manifest = Buffer.from('{"schemaVersion":2}');
  return {
    subject: digestOf(PULLED.blobs.get(PULLED.manifest.digest) ?? Buffer.alloc(0)),
    attachedBy: 'tag',
    mediaType: PULLED.manifest.mediaType,
    digest: digestOf(manifest),
    manifest,
    blobs: new Map([[digestOf(blob), blob]]),
  };
}
