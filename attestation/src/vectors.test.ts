/**
 * Every vector of `test/vectors`, through the verifier that it is for and through the other one.
 *
 * @module
 */
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { describe, expect, it } from 'vitest';
import { APPRAISAL_CHECKS, type Appraisal } from './appraise/appraisal-checks.ts';
import { appraise } from './appraise/appraise.ts';
import { parseReport } from './report/parse.ts';
import { appraiseSimulated } from './simulated/verifier/appraise-simulated.ts';
import { parseSimulatedRoots } from './simulated/verifier/roots.ts';
import { verifySimulated } from './simulated/verifier/verify-simulated.ts';
import { codeOf } from './testing/code-of.ts';
import {
  AREAS,
  readReportVectors,
  readVectorFile,
  readVectors,
  type Vector,
} from './testing/read-vectors.ts';
import { verify } from './verify/verify.ts';
import { VERIFY_CHECKS } from './verify/verify-checks.ts';

const roots = parseSimulatedRoots(readVectorFile('roots.pem'));
const SIMULATED = AREAS.filter((area) => area !== 'hardware').flatMap(readVectors);
const HARDWARE = readVectors('hardware');
const REPORTS = readReportVectors();

function failedIn({ accepted, checks }: Appraisal): 'accepted' | readonly string[] {
  const failed = checks.filter(({ verdict }) => verdict === 'failed').map(({ code }) => code);
  return accepted ? 'accepted' : failed;
}

/**
 * Compares the failed checks of an appraisal with those of the vector, if the vector has a policy.
 */
function check(vector: Vector, run: (policy: ReturnType<typeof policyOf>) => Appraisal): void {
  if (vector.expected.appraise === undefined) return;
  expect(failedIn(run(policyOf(vector)))).toEqual(vector.expected.appraise);
}

function policyOf({ policy, reportData, specDigest }: Vector) {
  return { policy: parseAttestationPolicy(policy), expected: { reportData, specDigest } };
}

describe('simulated evidence, verified as such', () => {
  for (const vector of SIMULATED) {
    const { name, evidence, options, expected } = vector;
    it(`verifies the simulated evidence ${name} with the result of its vector`, () => {
      if (expected.verify !== 'accepted') {
        expect(codeOf(() => verifySimulated(evidence, roots, options))).toBe(expected.verify);
        return;
      }
      const report = verifySimulated(evidence, roots, options);
      check(vector, ({ policy, expected }) => appraiseSimulated(report, policy, expected));
    });
  }
});

describe('evidence of hardware', () => {
  for (const vector of HARDWARE) {
    const { name, evidence, options, expected } = vector;
    it(`verifies the hardware evidence ${name} with the result of its vector`, () => {
      expect(codeOf(() => verify(evidence, options))).toBe(expected.verify);
      if (expected.verify !== 'accepted') return;
      check(vector, ({ policy, expected }) =>
        appraise(verify(evidence, options), policy, expected),
      );
    });
  }
});

describe('hardware and simulated evidence', () => {
  it('refuses every simulated vector as evidence of hardware', () => {
    for (const { evidence, options } of SIMULATED) {
      expect(codeOf(() => verify(evidence, options))).not.toBe('accepted');
    }
  });

  it('refuses every vector of hardware as simulated evidence', () => {
    for (const { evidence, options } of HARDWARE) {
      expect(codeOf(() => verifySimulated(evidence, roots, options))).not.toBe('accepted');
    }
  });
});

describe('reports', () => {
  for (const { name, report, expected } of REPORTS) {
    it(`parses the report ${name} with the result of its vector`, () => {
      expect(codeOf(() => parseReport(report))).toBe(expected);
    });
  }
});

describe('the vectors', () => {
  it('covers every check of verification with a vector', () => {
    const seen = new Set([
      ...SIMULATED.map(({ expected }) => expected.verify),
      ...REPORTS.map(({ expected }) => expected),
    ]);
    expect(Object.keys(VERIFY_CHECKS).filter((code) => !seen.has(code))).toEqual([]);
  });

  it('covers every check of appraisal with a vector', () => {
    const seen = new Set(SIMULATED.flatMap(({ expected }) => expected.appraise ?? []));
    expect(Object.keys(APPRAISAL_CHECKS).filter((code) => !seen.has(code))).toEqual([]);
  });
});
