/**
 * What was decided about evidence, as programs read it; people are shown the same.
 *
 * @module
 */
import type { Library } from './load-library.ts';

type Claims = InstanceType<Library['VerifiedReport']>['claims'];

/** One check, of the verification or of the appraisal against the policy. */
export interface VerdictCheck {
  readonly stage: 'verify' | 'policy';
  /** Stable, and of one stage alone. */
  readonly code: string;
  /** `skipped`: nothing to look at, or an earlier check failed. */
  readonly verdict: 'passed' | 'failed' | 'skipped';
  readonly expected?: string | undefined;
  readonly actual?: string | undefined;
}

/** Where the parts of the evidence came from. */
export interface Sources {
  readonly format: string;
  /** Null where there was none. */
  readonly vek: string | null;
  /** Null where there was none. */
  readonly crl: string | null;
  /** Where it is from what REPORT_DATA has to be; null where that is for the policy alone. */
  readonly reportData: string | null;
}

/** The document that `attest verify --json` prints; its keys are stable. */
export interface Verdict {
  readonly accepted: boolean;
  /** `accepted`, or the code of the first check that failed. */
  readonly code: string;
  /** There and true for the evidence of a simulated secure processor alone. */
  readonly simulated?: true;
  readonly checks: readonly VerdictCheck[];
  /** Only where the evidence is verified, be it accepted or not. */
  readonly claims?: Claims;
  readonly sources: Sources;
}
