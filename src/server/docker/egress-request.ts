/**
 * Turns the field `Egress` of a document into the policy that goes on record, and back.
 *
 * @module
 */
import { PolicyError, readPolicyDocument } from '@a3s-box/policies/document';
import { parseNetworkPolicy } from '@a3s-box/policies/network-policy';
import type * as z from 'zod';
import type { EgressBody, EgressShown } from '../../docker-api/a3s/egress.ts';
import { A3sError } from '../../errors.ts';
import type { RecordedPolicy } from '../../networks/egress/egress.ts';

/** @throws A3sError `policy-invalid`, with everything that is wrong */
export function egressRequest(
  asked: z.output<typeof EgressBody> | undefined,
): RecordedPolicy | undefined {
  if (asked === undefined) return undefined;
  try {
    const file =
      asked.Policy === undefined ? undefined : parseNetworkPolicy(readPolicyDocument(asked.Policy));
    const flags = parseNetworkPolicy({ rules: asked.Rules });
    const { rules, default: byDefault } = parseNetworkPolicy({
      default: asked.Default ?? file?.default ?? flags.default,
      rules: [...flags.rules, ...(file?.rules ?? [])].map(({ text }) => text),
    });
    return { default: byDefault, rules: rules.map(({ text }) => text) };
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new A3sError('policy-invalid', `Cannot use the network policy: ${cause.message}`, {
      remedy: 'Write rules as allow:NAME:tcp:443, allow:*.NAME, deny:203.0.113.0/24.',
      cause,
    });
  }
}

export function showEgress(policy: RecordedPolicy | undefined): EgressShown | null {
  return policy === undefined ? null : { Default: policy.default, Rules: policy.rules };
}
