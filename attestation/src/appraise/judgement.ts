/**
 * The input and the result of a rule.
 *
 * @module
 */
import type { PolicyEngine, PolicyTee, SnpPolicy } from '@a3s-box/policies/attestation-policy';
import type { Claims } from '../verify/verified-claims.ts';
import type { AppraisalCheck } from './appraisal-checks.ts';

/** All inputs of an appraisal. */
export interface Subject {
  readonly claims: Claims;
  readonly policy: SnpPolicy;
  /** The source of the evidence. */
  readonly tee: PolicyTee;
  /** Of the launch digest, by the policy. */
  readonly engine: PolicyEngine;
  /** What the caller expects of REPORT_DATA, 64 bytes in hexadecimal. */
  readonly reportData: string | undefined;
  /** What that REPORT_DATA is over, by an agent on libkrun, 32 bytes in hexadecimal. */
  readonly specDigest: string | undefined;
}

export type Judgement = Omit<AppraisalCheck, 'code'>;

/** Decides one check. */
export type Rule = (subject: Subject) => Judgement;

export function demand(holds: boolean, expected: string, actual: string): Judgement {
  return { verdict: holds ? 'passed' : 'failed', expected, actual };
}

/** The check is skipped for this reason. */
export function skip(reason: string, actual: string): Judgement {
  return { verdict: 'skipped', expected: reason, actual };
}

/** The reason of a check that the policy leaves out. */
export const NOT_ASKED = 'any: the policy does not ask';

/** How many entries of a list are written out. */
const LISTED = 4;

/** What a list of allowed values expects. */
export function oneOf(values: readonly (string | number)[], nothing: string): string {
  if (values.length === 0) return `none: ${nothing}`;
  const listed = values.slice(0, LISTED).join(', ');
  const rest = values.length - LISTED;
  if (rest > 0) return `one of ${listed} and ${rest} more`;
  return values.length === 1 ? listed : `one of ${listed}`;
}
