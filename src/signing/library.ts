/**
 * Exports the signing code as one module that is loaded on demand.
 *
 * It is bundled apart from the command line, so that no other command pays for it.
 *
 * @module
 */
export { A3sError } from '../errors.ts';
export { envelope, statement } from './attestation.ts';
export { attestationLayers, readAttestation, readPublicKey } from './attestation-reader.ts';
export { cosignRepository, imagePayload } from './image-payload.ts';
export { attestationLayer, signatureLayer } from './layers.ts';
export { predicateType } from './predicate-types.ts';
export { readPrivateKey, readSigningKey } from './read-signing-key.ts';
