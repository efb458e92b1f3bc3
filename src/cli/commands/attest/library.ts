/**
 * All code of the attestation library that the commands use, in one module that is loaded on
 * demand.
 *
 * It is bundled apart from the command line, so that no other command pays for it.
 *
 * @module
 */
export * from '@a3s-box/attestation';
export * from '@a3s-box/attestation/ear';
export * from '@a3s-box/attestation/endorsements';
export * from '@a3s-box/attestation/measure';
export {
  appraiseSimulated,
  parseSimulatedRoots,
  simulatedEarSubmod,
  verifySimulated,
} from '@a3s-box/attestation/simulated';
export { canonicalJson, differingFields } from '@a3s-box/policies';
export {
  PolicyError,
  parseAttestationPolicy,
  STRICT_POLICY,
} from '@a3s-box/policies/attestation-policy';
export { readPolicyDocument } from '@a3s-box/policies/document';
export { isImagePolicyDocument, parseImagePolicy } from '@a3s-box/policies/image-policy';
export { findVulnerable } from '@a3s-box/policies/known-vulnerable';
