/**
 * All that the commands need to talk to a confidential box, in one module that is loaded on demand.
 *
 * What verifies is in it too: a class of another bundle would not recognise what this one throws.
 *
 * @module
 */
export { simulatedRootsOf } from '@a3s-box/attestation/simulated';
export { AGENT_CODES, canInject, connect, RATLS_CHECKS, RatlsError } from '@a3s-box/ratls';
export * from '../attest/library.ts';
