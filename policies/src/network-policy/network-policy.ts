/**
 * The network policy: what a box may reach outside of its networks.
 *
 * Rules stand in an order, and the first that matches decides. What no rule names is refused,
 * unless the policy says that public addresses are open.
 *
 * @module
 */
import * as z from 'zod/mini';
import { PolicyError } from '../policy-error.ts';
import { problemsOf } from '../policy-problems.ts';
import { closed, list, oneOf } from '../policy-values.ts';
import { type NetworkRule, parseNetworkRule } from './network-rule.ts';

export { PolicyError } from '../policy-error.ts';
export {
  hostName,
  type NetworkRule,
  type NetworkTarget,
  parseNetworkRule,
} from './network-rule.ts';

/** The value of `schema` in a policy that states one. */
export const NETWORK_POLICY_SCHEMA = 'a3s-box/network-policy/v1';

/** Each takes a few rules of the packet filter. */
export const MAX_NETWORK_RULES = 128;

export interface NetworkPolicy {
  readonly schema: typeof NETWORK_POLICY_SCHEMA;
  /**
   * What no rule names: `deny` refuses it; `public` refuses private, link-local and other special
   * addresses and those of the host's own networks alone, and resolves all names.
   */
  readonly default: 'deny' | 'public';
  readonly rules: readonly NetworkRule[];
}

const document = closed({
  schema: z._default(oneOf([NETWORK_POLICY_SCHEMA]), NETWORK_POLICY_SCHEMA),
  default: z._default(oneOf(['deny', 'public']), 'deny'),
  rules: z._default(list(z.unknown(), MAX_NETWORK_RULES), []),
});

/**
 * Checks a policy; `rules` are texts such as `allow:*.example.org:tcp:443`.
 *
 * @throws PolicyError `policy-invalid`, with everything that is wrong
 */
export function parseNetworkPolicy(input: unknown): NetworkPolicy {
  const result = document.safeParse(input);
  if (!result.success)
    throw new PolicyError('policy-invalid', problemsOf(input, result.error.issues));
  const rules: NetworkRule[] = [];
  const problems = result.data.rules.flatMap((text, at) => {
    const { rule, fault = 'is no text' } = typeof text === 'string' ? parseNetworkRule(text) : {};
    if (rule === undefined) return [{ path: `rules[${at}]`, message: `the rule ${fault}` }];
    rules.push(rule);
    return [];
  });
  if (problems.length > 0) throw new PolicyError('policy-invalid', problems);
  return { schema: result.data.schema, default: result.data.default, rules };
}
