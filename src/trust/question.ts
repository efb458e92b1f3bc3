import type { Attachment } from '../images/attachments/attachment.ts';
import type { Digest } from '../oci/digest.ts';

/** The question that a decision answers about an image. */
export interface TrustQuestion {
  /** As the caller named it. */
  readonly reference: string;
  /** Canonical repository; empty for an image without a name. */
  readonly repository: string;
  /** With `repository`, the docker-reference that a policy may require in a signature. */
  readonly tag: string | undefined;
  readonly manifestDigest: Digest;
  /**
   * Indexes that list the manifest: a signature of one covers it. The caller has checked that they
   * do list it.
   */
  readonly indexDigests: readonly Digest[];
  readonly attachments: readonly Attachment[];
  /**
   * The image is for a confidential box: an unsigned image is refused, unless a rule explicitly
   * allows it.
   */
  readonly confidential: boolean;
}
