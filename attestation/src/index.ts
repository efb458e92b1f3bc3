/**
 * SEV-SNP attestation for relying parties: parse, verify, appraise.
 *
 * ```ts
 * const verified = verify({ report, vek }, { now: new Date(), crl });
 * const { accepted, checks } = appraise(verified, policy, { reportData });
 * ```
 *
 * Everything here is pure: no clock, no network, no environment is read.
 *
 * @module
 */
export * from './common.ts';
export * from './envelopes/index.ts';
export { verify } from './verify/verify.ts';
export { type VerifiedCrl, verifyCrl } from './verify/verify-crl.ts';
export { type VerifiedVek, verifyVek } from './verify/verify-vek.ts';
