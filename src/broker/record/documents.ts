/**
 * The contents of policies and grants.
 *
 * @module
 */
import {
  PolicyError,
  parseAttestationPolicy,
  type SnpPolicy,
} from '@a3s-box/policies/attestation-policy';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import { isName, isPathPattern } from './resource-path.ts';

/** Which guests are trusted. */
export interface ReleasePolicy {
  readonly allowSimulated: boolean;
  readonly attestation: SnpPolicy;
}

/** Which resources a policy lets guests have. */
export interface Grant {
  /** `repository/type/tag`; `*` stands for a whole part. */
  readonly path: string;
  /** The name of a policy. */
  readonly policy: string;
  /** It is for the counters of sealed volumes at these paths, and for no secret. */
  readonly counter: boolean;
}

const policyDocument = z.strictObject({
  allowSimulated: z._default(z.boolean(), false),
  attestation: z.unknown(),
});

const grantDocument = z.strictObject({
  path: z.string().refine(isPathPattern, 'expected repository/type/tag, with * for a whole part'),
  policy: z.string().refine(isName, 'expected the name of a policy'),
  counter: z._default(z.boolean(), false),
});

/**
 * Simulated evidence protects nothing, so two places have to say that it suffices: `tee: simulated`
 * in the attestation policy, and `allowSimulated` beside it.
 *
 * @throws A3sError `policy-invalid`
 */
export function parseReleasePolicy(input: unknown): ReleasePolicy {
  const { data, error } = narrow(policyDocument, input);
  if (data === undefined) throw invalid('policy', error.issues[0]);
  const attestation = attestationPolicy(data.attestation ?? {});
  if ((attestation.tee === 'simulated') !== data.allowSimulated) {
    throw new A3sError(
      'policy-invalid',
      `Cannot use the policy: allowSimulated is ${data.allowSimulated} and tee is ${attestation.tee}`,
      {
        remedy:
          'Write allowSimulated: true exactly where the attestation policy has tee: simulated.',
      },
    );
  }
  return { allowSimulated: data.allowSimulated, attestation };
}

/** @throws A3sError `policy-invalid` */
export function parseGrant(input: unknown): Grant {
  const { data, error } = narrow(grantDocument, input);
  if (data === undefined) throw invalid('grant', error.issues[0]);
  return data;
}

function attestationPolicy(input: unknown): SnpPolicy {
  try {
    return parseAttestationPolicy(input);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const problems = error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw new A3sError('policy-invalid', `Cannot use the policy: ${problems.join('; ')}`, {
      cause: error,
    });
  }
}

function invalid(what: string, issue: z.core.$ZodIssue | undefined): A3sError {
  const place = issue?.path.join('.') ?? '';
  const reason = `${place === '' ? '' : `${place}: `}${issue?.message ?? 'malformed'}`;
  return new A3sError('policy-invalid', `Cannot use the ${what}: ${reason}`);
}
