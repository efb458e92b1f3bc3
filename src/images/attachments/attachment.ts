/**
 * What lies beside an image in a registry and says something about it: signatures, attestations,
 * bundles.
 *
 * @module
 */
import type { Digest } from '../../oci/digest.ts';

/**
 * An artifact, whole: its manifest and the blobs that the manifest lists as layers. Nothing in it
 * is verified.
 */
export interface Attachment {
  /** The subject: the digest of an image's manifest, or of an index that lists it. */
  readonly subject: Digest;
  /** A tag `sha256-….sig` or `.att`, or the `subject` field of OCI 1.1. */
  readonly attachedBy: 'tag' | 'referrer';
  /** Of `manifest`. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly manifest: Buffer;
  /** The content of the manifest's layers. */
  readonly blobs: ReadonlyMap<Digest, Buffer>;
}
