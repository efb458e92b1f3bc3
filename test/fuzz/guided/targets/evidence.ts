import { parseSimulatedRoots } from '../../../../attestation/src/simulated/verifier/roots.ts';
import { verifySimulated } from '../../../../attestation/src/simulated/verifier/verify-simulated.ts';
import { readVectorFile } from '../../../../attestation/src/testing/read-vectors.ts';
import { refusing } from '../refusing.ts';

const roots = parseSimulatedRoots(readVectorFile('roots.pem'));
const now = new Date('2026-06-01T00:00:00Z');
const REPORT = 1184;

/** A report, and behind it its certificate. */
export const fuzz = refusing((bytes) =>
  verifySimulated({ report: bytes.subarray(0, REPORT), vek: bytes.subarray(REPORT) }, roots, {
    now,
  }),
);
