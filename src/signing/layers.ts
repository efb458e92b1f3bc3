/**
 * Makes signatures and attestations as layers of the artifacts that cosign reads.
 *
 * @module
 */

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
    mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    annotations: { [SIGNATURE]: signature.toString('base64') },
    data: payload.toString('base64'),
  };
}

/** The signature is inside the envelope; cosign writes an empty annotation all the same. */
export function attestationLayer(envelope: Buffer, predicateType: string): SignedLayer {
  return {
    mediaType: 'application/vnd.dsse.envelope.v1+json',
    annotations: { [SIGNATURE]: '', predicateType },
    data: envelope.toString('base64'),
  };
}
