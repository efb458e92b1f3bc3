/**
 * Checks that the library's decision on a vector is the expected one.
 *
 * @module
 */
import { AttestationError } from '../../attestation/src/errors.ts';
import { parseReport } from '../../attestation/src/report/parse.ts';
import { appraiseSimulated } from '../../attestation/src/simulated/verifier/appraise-simulated.ts';
import { verifySimulated } from '../../attestation/src/simulated/verifier/verify-simulated.ts';
import { parseAttestationPolicy } from '../../policies/src/attestation-policy/attestation-policy.ts';
import {
  LaunchSpecError,
  parseLaunchSpec,
} from '../../policies/src/launch-spec/parse-launch-spec.ts';
import { type EvidenceVector, type LaunchSpecVector, NOW, type ReportVector } from './format.ts';
import { processor } from './processor.ts';

/** What is wrong with a vector, in a line each. */
export function checkReport({ name, report, expected }: ReportVector): string[] {
  const found = outcome(() => parseReport(report));
  return found === expected ? [] : [`reports/${name}: expected ${expected}, found ${found}`];
}

/** What is wrong with a vector, in a line each. */
export function checkLaunchSpec({ name, text, expected }: LaunchSpecVector): string[] {
  const found = outcome(() => parseLaunchSpec(text));
  return found === expected ? [] : [`launch-spec/${name}: expected ${expected}, found ${found}`];
}

/** What is wrong with a vector, in a line each. */
export function checkEvidence(vector: EvidenceVector): string[] {
  const { name, expected } = vector;
  const found = outcome(() => verify(vector));
  if (found !== expected.verify) {
    return [`${name}: expected ${expected.verify}, found ${found}`];
  }
  if (expected.appraise === undefined) return [];
  const wanted = [...expected.appraise].join(expected.appraise === 'accepted' ? '' : ', ');
  const appraised = appraise(vector);
  return appraised === wanted ? [] : [`${name}: expected ${wanted}, appraised ${appraised}`];
}

function verify({ evidence, crl, crlObtainedAt, now }: EvidenceVector) {
  return verifySimulated(evidence, processor().roots(), {
    now: new Date(now ?? NOW),
    crl,
    crlObtainedAt: crlObtainedAt === undefined ? undefined : new Date(crlObtainedAt),
  });
}

function appraise(vector: EvidenceVector): string {
  const policy = parseAttestationPolicy(vector.policy);
  const { reportData, specDigest } = vector;
  const { checks } = appraiseSimulated(verify(vector), policy, { reportData, specDigest });
  const failed = checks.filter(({ verdict }) => verdict === 'failed');
  return failed.length === 0 ? 'accepted' : failed.map(({ code }) => code).join(', ');
}

function outcome(decide: () => unknown): string {
  try {
    decide();
    return 'accepted';
  } catch (error) {
    if (error instanceof AttestationError || error instanceof LaunchSpecError) return error.code;
    throw error;
  }
}
