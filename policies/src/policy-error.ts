/**
 * The one error of a policy document that cannot be used.
 *
 * @module
 */

/** `policy-unreadable`: not the text of one document; `policy-invalid`: not a valid policy. */
export type PolicyErrorCode = 'policy-unreadable' | 'policy-invalid';

/** One thing that is wrong. */
export interface PolicyProblem {
  /** Where, such as `crl.maxAgeDays` or `measurements[3]`; empty for the whole document. */
  readonly path: string;
  /** For people. */
  readonly message: string;
  readonly expected?: string;
  readonly found?: string;
  /** Of the text, from 1; where there is one. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
}

const SUMMARIES: Readonly<Record<PolicyErrorCode, string>> = {
  'policy-unreadable': 'Cannot read the policy',
  'policy-invalid': 'The policy is invalid',
};

/**
 * A policy was refused: `problems` has at least one entry, and one for each thing that is wrong.
 *
 * Of more than a hundred, the last says how many are left out.
 */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly code: PolicyErrorCode;
  readonly problems: readonly PolicyProblem[];

  constructor(code: PolicyErrorCode, problems: readonly PolicyProblem[]) {
    super(`${SUMMARIES[code]}: ${problems.map(describe).join('; ')}`);
    this.code = code;
    this.problems = problems;
  }
}

function describe(problem: PolicyProblem): string {
  const place =
    problem.line === undefined ? problem.path : `line ${problem.line}, column ${problem.column}`;
  return place === '' ? problem.message : `${place}: ${problem.message}`;
}
