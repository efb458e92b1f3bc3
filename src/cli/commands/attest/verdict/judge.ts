/**
 * Runs verification and appraisal, and makes one verdict of their results.
 *
 * @module
 */
import { describeVulnerable } from '../input/known-vulnerable.ts';
import type { Library } from '../load-library.ts';
import type { Sources, Verdict, VerdictCheck } from './verdict.ts';
import type { Meanings, Refusal } from './verdict-text.ts';

type Evidence = Parameters<Library['verify']>[0];
type Options = Parameters<Library['verify']>[1];
type Policy = Library['STRICT_POLICY'];
type Roots = Parameters<Library['verifySimulated']>[1];
type Genuine = ReturnType<Library['verify']>;
type Simulated = ReturnType<Library['verifySimulated']>;
type Verified = Genuine | Simulated;
type Appraisal = ReturnType<Library['appraise']>;
type Submod = ReturnType<Library['earSubmod']>;
type Details = Parameters<Library['earSubmod']>[2];
type Failures = readonly Appraisal['checks'][number]['code'][];
type Record = ReturnType<Library['parseLaunchRecord']>;

export interface Question {
  readonly evidence: Evidence;
  readonly options: Options;
  readonly policy: Policy;
  /** Hexadecimal or bytes, 64 of them. */
  readonly reportData: string | Uint8Array | undefined;
  /** The REPORT_DATA that the rest of the envelope requires, in hexadecimal. */
  readonly boundReportData: string | undefined;
  readonly sources: Sources;
  /** The host's claim about the launch; untrusted. */
  readonly record?: Record | undefined;
  /** The simulated secure processor whose evidence is verified; undefined for AMD's. */
  readonly simulatedRoots: Roots | undefined;
}

export interface Answer {
  readonly verdict: Verdict;
  /** The verification's message about the check that failed. */
  readonly refusal?: Refusal;
  /** What an attestation result says of it, with the name of the submodule. */
  submod(details: { readonly policyIds: readonly string[] }): readonly [string, Submod];
}

/** The meaning of the codes of both stages. */
export function meaningsOf(library: Library): Meanings {
  return {
    verify: library.VERIFY_CHECKS,
    policy: {
      ...library.APPRAISAL_CHECKS,
      'runtime-data': 'the report is bound to what came with it',
    },
  };
}

export function judge(library: Library, question: Question): Answer {
  const { sources, simulatedRoots } = question;
  const common = { ...(simulatedRoots === undefined ? {} : { simulated: true as const }), sources };
  try {
    const { verified, appraisal } = decide(library, question);
    const checks = [
      ...staged('verify', verified.checks),
      ...boundTo(verified.claims.reportData, question.boundReportData),
      ...staged('policy', withRecord(library, question, verified, appraisal.checks)),
    ];
    const failed = checks.find(({ verdict }) => verdict === 'failed');
    const code = failed?.code ?? 'accepted';
    const verdict = { accepted: failed === undefined, code, checks, claims: verified.claims };
    const failures = failuresOf(library, checks);
    return {
      verdict: { ...verdict, ...common },
      submod: (details) => submodOf(library, verified, appraisal, { ...details, failed: failures }),
    };
  } catch (error) {
    if (!(error instanceof library.VerificationError)) throw error;
    const { code, message, remedy } = error;
    const names = Object.keys(library.APPRAISAL_CHECKS);
    const bound = question.boundReportData === undefined ? [] : ['runtime-data'];
    const notAppraised = [...bound, ...names].map(
      (name): VerdictCheck => ({ stage: 'policy', code: name, verdict: 'skipped' }),
    );
    const checks = [...staged('verify', error.checks), ...notAppraised];
    return {
      verdict: { accepted: false, code, checks, ...common },
      refusal: { message, remedy },
      submod: (details) => [
        simulatedRoots === undefined ? 'sev-snp' : 'simulated',
        library.refusedSubmod(details),
      ],
    };
  }
}

function submodOf(
  library: Library,
  verified: Verified,
  appraisal: Appraisal,
  details: Details,
): readonly [string, Submod] {
  if (library.VerifiedReport.is(verified)) {
    return ['sev-snp', library.earSubmod(verified, appraisal, details)];
  }
  return ['simulated', library.simulatedEarSubmod(verified as Simulated, appraisal, details)];
}

/**
 * The failed checks of the whole verdict that an appraisal has. Where the report is not bound to
 * what came with it, the check of its REPORT_DATA counts as failed.
 */
function failuresOf(library: Library, checks: readonly VerdictCheck[]): Failures {
  const codes = checks
    .filter(({ verdict }) => verdict === 'failed')
    .map(({ code }) => (code === 'runtime-data' ? 'report-data' : code));
  return (Object.keys(library.APPRAISAL_CHECKS) as Failures).filter((code) => codes.includes(code));
}

function decide(
  library: Library,
  { evidence, options, policy, reportData, simulatedRoots }: Question,
): { readonly verified: Verified; readonly appraisal: Appraisal } {
  if (simulatedRoots === undefined) {
    const verified = library.verify(evidence, options);
    return { verified, appraisal: library.appraise(verified, policy, { reportData }) };
  }
  const verified = library.verifySimulated(evidence, simulatedRoots, options);
  return { verified, appraisal: library.appraiseSimulated(verified, policy, { reportData }) };
}

/** Where the envelope has runtime data, REPORT_DATA is its hash. The age of both is unknown. */
function boundTo(actual: string, expected: string | undefined): readonly VerdictCheck[] {
  if (expected === undefined) return [];
  const verdict = actual === expected ? 'passed' : 'failed';
  return [{ stage: 'policy', code: 'runtime-data', verdict, expected, actual }];
}

/**
 * A digest that is on no list may belong to firmware that is on one: where the record gives that
 * digest, the firmware decides. A record with another digest does not describe this guest, and
 * fails the check even where the policy exempts the digest.
 */
function withRecord(
  library: Library,
  { record, policy }: Question,
  { claims: { measurement } }: Verified,
  checks: Appraisal['checks'],
): readonly Omit<VerdictCheck, 'stage'>[] {
  if (record === undefined) return checks;
  const { digest } = library.measureRecord(record);
  const entry = library.vulnerableLaunch({ ...record, digest }, policy.allowKnownVulnerable);
  if (digest === measurement && entry === undefined) return checks;
  const failure = {
    verdict: 'failed' as const,
    expected: 'a launch record that gives the measurement, of firmware that is not on the list',
    actual: digest === measurement && entry !== undefined ? describeVulnerable(entry) : digest,
  };
  const decides = (verdict: string): boolean =>
    verdict === 'passed' || (verdict === 'skipped' && digest !== measurement);
  return checks.map((check) =>
    check.code === 'known-vulnerable' && decides(check.verdict) ? { ...check, ...failure } : check,
  );
}

function staged(
  stage: VerdictCheck['stage'],
  checks: readonly Omit<VerdictCheck, 'stage'>[],
): readonly VerdictCheck[] {
  return checks.map((check) => ({ stage, ...check }));
}
