/**
 * The exports that the entry for Node and the entry for browsers share.
 *
 * @module
 */

export { APPRAISAL_CHECKS } from './appraise/appraisal-checks.ts';
export { appraise } from './appraise/appraise.ts';
export type {
  Appraisal,
  AppraisalCheck,
  AppraisalCode,
  Expected,
} from './appraise/appraise-claims.ts';
export { parseVek, type Vek } from './certificates/vek.ts';
export { type AttestationCode, AttestationError, type InputCode } from './errors.ts';
export type { Evidence } from './evidence.ts';
export { parseReport } from './report/parse.ts';
export { type ParsedReport, unverifiedClaims } from './report/parsed-report.ts';
export { type Product, productOf, type TcbClass } from './report/product.ts';
export type {
  Cpuid,
  FirmwareVersion,
  GuestPolicy,
  KeyInfo,
  PlatformInfo,
  ReportClaims,
  VekKind,
} from './report/report-claims.ts';
export { formatTcb, type Tcb } from './report/tcb.ts';
export type { VerifyOptions } from './verify/options.ts';
export { VerificationError } from './verify/trace.ts';
export type { Claims, EndorsementClaims, RevocationClaims } from './verify/verified-claims.ts';
export { VerifiedReport } from './verify/verified-report.ts';
export { VERIFY_CHECKS, type VerifyCheck, type VerifyCode } from './verify/verify-checks.ts';
