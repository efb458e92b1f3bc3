/**
 * All code for sessions with a confidential box, in one module that is loaded on demand.
 *
 * The verifier is in it too: a class of another bundle would not recognise this one's errors.
 *
 * @module
 */
export { simulatedRootsOf } from '@a3s-box/attestation/simulated';
export { parseApplicationPolicy } from '@a3s-box/policies/application-policy';
export { AGENT_CODES, canInject, connect, RATLS_CHECKS, RatlsError } from '@a3s-box/ratls';
export {
  isPurpose,
  MAX_ENVELOPE,
  MAX_SEALED,
  parseEnvelope,
  requirePermitted,
  SealingError,
} from '@a3s-box/sealing';
export * from '../attest/library.ts';
