/**
 * The verdict on a box, for programs.
 *
 * @module
 */
import { failureOf } from '../attest/json-failure.ts';
import type { Library } from './peer-flags.ts';

type RatlsError = InstanceType<Library['RatlsError']>;
export type Peer = Awaited<ReturnType<Library['connect']>>['peer'];

/** One check: of the session, of the fresh report, or of the policy. */
export interface BoxCheck {
  readonly stage: 'session' | 'verify' | 'policy';
  readonly code: string;
  readonly verdict: 'passed' | 'failed' | 'skipped';
  readonly expected?: string | undefined;
  readonly actual?: string | undefined;
}

/** The document that `attest box --json` prints; its keys are stable. */
export interface BoxVerdict {
  readonly accepted: boolean;
  /** `accepted`, or the code of the first check that failed. */
  readonly code: string;
  readonly target: string;
  /** Present and true where nothing was checked: the box did not answer. */
  readonly undecided?: true;
  /** Present and true for simulated evidence alone. */
  readonly simulated?: true;
  readonly checks: readonly BoxCheck[];
  readonly box?: {
    readonly instance: string;
    readonly specDigest: string;
    readonly measurement: string;
    readonly spec: Peer['spec'];
  };
  readonly claims?: Peer['claims'];
  /** The required REPORT_DATA of the evidence. */
  readonly reportData?: string;
  /** The directory of the evidence; absent without `--out`. */
  readonly files?: Readonly<Record<string, string>>;
  readonly error?: {
    readonly message: string;
    readonly expected?: string | undefined;
    readonly found?: string | undefined;
    readonly remedy?: string | undefined;
  };
}

export function acceptedBox(
  target: string,
  peer: Peer,
  files: Readonly<Record<string, string>> | undefined,
): BoxVerdict {
  const { instance, specDigest, spec, claims, reportData } = peer;
  return {
    accepted: true,
    code: 'accepted',
    target,
    ...(peer.simulated ? { simulated: true as const } : {}),
    checks: [
      ...staged('session', peer.checks),
      ...staged('verify', peer.verification),
      ...staged('policy', peer.appraisal.checks),
    ],
    box: { instance, specDigest, measurement: claims.measurement, spec },
    claims,
    reportData: Buffer.from(reportData).toString('hex'),
    ...(files === undefined ? {} : { files }),
  };
}

export function rejectedBox(target: string, error: RatlsError, simulated: boolean): BoxVerdict {
  const { code, message, expected, found, remedy, checks, appraisal } = error;
  return {
    accepted: false,
    code,
    target,
    ...(simulated ? { simulated: true as const } : {}),
    checks: [...staged('session', checks), ...staged('policy', appraisal?.checks ?? [])],
    error: { message, expected, found, remedy },
  };
}

/** Not accepted, and not rejected either. */
export function undecidedBox(target: string, cause: unknown): BoxVerdict {
  const { code, error } = failureOf(cause);
  return { accepted: false, code, target, undecided: true, checks: [], error };
}

function staged(
  stage: BoxCheck['stage'],
  checks: readonly Omit<BoxCheck, 'stage'>[],
): readonly BoxCheck[] {
  return checks.map((check) => ({ stage, ...check }));
}
