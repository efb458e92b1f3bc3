/**
 * Signatures and attestations as layers of the artifacts that cosign looks for.
 *
 * @module
 */

/** What the control server puts beside an image. */
export interface SignedLayer {
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** In base64. */
  readonly data: string;
}

const SIGNATURE = 'dev.cosignproject.cosign/signature';

/** The signature stands beside what it is of. */
export function signatureLayer(payload: Buffer, signature: Buffer): SignedLayer {
  return {
    mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    annotations: { [SIGNATURE]: signature.toString('base64') },
    data: payload.toString('base64'),
  };
}

/** The signature is within; cosign writes an empty annotation all the same. */
export function attestationLayer(envelope: Buffer, predicateType: string): SignedLayer {
  return {
    mediaType: 'application/vnd.dsse.envelope.v1+json',
    annotations: { [SIGNATURE]: '', predicateType },
    data: envelope.toString('base64'),
  };
}
