/**
 * The verdict on evidence, for programs. People see the same content.
 *
 * @module
 */
import type { Library } from '../load-library.ts';

type Claims = InstanceType<Library['VerifiedReport']>['claims'];

/** One check, of the verification or of the appraisal against the policy. */
export interface VerdictCheck {
  readonly stage: 'verify' | 'policy';
  /** Stable, and used in one stage alone. */
  readonly code: string;
  /** `skipped`: nothing to check, or an earlier check failed. */
  readonly verdict: 'passed' | 'failed' | 'skipped';
  readonly expected?: string | undefined;
  readonly actual?: string | undefined;
}

/** The sources of the parts of the evidence. */
export interface Sources {
  readonly format: string;
  /** Null where there was none. */
  readonly vek: string | null;
  /** Null where there was none. */
  readonly crl: string | null;
  /** The source of the required REPORT_DATA; null where only the policy sets it. */
  readonly reportData: string | null;
}

/** The document that `attest verify --json` prints; its keys are stable. */
export interface Verdict {
  readonly accepted: boolean;
  /** `accepted`, or the code of the first check that failed. */
  readonly code: string;
  /** Present and true for the evidence of a simulated secure processor alone. */
  readonly simulated?: true;
  readonly checks: readonly VerdictCheck[];
  /** Present only where the evidence is verified, whether it is accepted or not. */
  readonly claims?: Claims;
  readonly sources: Sources;
}
