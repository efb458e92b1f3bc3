/**
 * Makes signatures and attestations as layers of the artifacts that cosign reads.
 *
 * @module
 */
import { DSSE_ENVELOPE, SIMPLE_SIGNING } from '../oci/media-types.ts';

/** A layer that the control server attaches to an image. */
export interface SignedLayer {
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** In base64. */
  readonly data: string;
}

const SIGNATURE = 'dev.cosignproject.cosign/signature';

/** The signature is in an annotation beside the payload. */
export function signatureLayer(payload: Buffer, signature: Buffer): SignedLayer {
  return {
    mediaType: SIMPLE_SIGNING,
    annotations: { [SIGNATURE]: signature.toString('base64') },
    data: payload.toString('base64'),
  };
}

/** The signature is inside the envelope; cosign writes an empty annotation all the same. */
export function attestationLayer(envelope: Buffer, predicateType: string): SignedLayer {
  return {
    mediaType: DSSE_ENVELOPE,
    annotations: { [SIGNATURE]: '', predicateType },
    data: envelope.toString('base64'),
  };
}
