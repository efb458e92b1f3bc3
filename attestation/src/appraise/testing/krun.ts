/**
 * Claims of a guest of libkrun-sev, and a policy that takes it.
 *
 * @module
 */
import type { Claims } from '../../verify/verified-claims.ts';
import { HOST_DATA, MEASUREMENT, MILAN, REPORT_DATA, type Specimen } from './specimen.ts';

/** libkrun has no way to set HOST_DATA. */
export const NO_HOST_DATA = '00'.repeat(32);

const CLAIMS: Claims = { ...MILAN, hostData: NO_HOST_DATA };

/** The policy names the digest of the launch spec, which the caller has found REPORT_DATA over. */
export const KRUN = {
  base: CLAIMS,
  policy: { engines: ['krun'], measurements: [], krunMeasurements: [MEASUREMENT] },
  expected: { reportData: REPORT_DATA, specDigest: HOST_DATA },
} as const satisfies Specimen;
