import type { Attachment } from '../images/attachments/attachment.ts';
import type { Digest } from '../oci/digest.ts';

/** What is asked about an image. */
export interface TrustQuestion {
  /** As the caller named it. */
  readonly reference: string;
  /** Canonical repository; empty for an image without a name. */
  readonly repository: string;
  /** With `repository`, what a signature's docker-reference may have to be. */
  readonly tag: string | undefined;
  readonly manifestDigest: Digest;
  /** Indexes that list the manifest: a signature of one covers it. The caller has checked that they do list it. */
  readonly indexDigests: readonly Digest[];
  readonly attachments: readonly Attachment[];
  /** It is for a confidential box: an unsigned image is refused, unless a rule says otherwise in so many words. */
  readonly confidential: boolean;
}
