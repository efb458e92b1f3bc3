/**
 * The network policy of a box in its launch spec.
 *
 * It is information: the host enforces it, so evidence proves what was asked for, and not that it
 * holds.
 *
 * @module
 */
import * as z from 'zod';
import { MAX_NETWORK_RULES } from '../network-policy/network-policy.ts';

/**
 * The form of a rule, which is all that the agent checks. `parseNetworkRule` reads its meaning, and
 * boxes are created with rules that it reads, in their one spelling.
 */
const egressRule = z
  .string()
  .regex(
    /^(allow|deny):([a-z0-9_*][a-z0-9_*./-]{0,254}|\[[0-9a-f:]{2,39}\/[0-9]{1,3}\])(:icmp|:(tcp|udp)(:[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?)?)?$/,
  );

export const LaunchEgress = z.strictObject({
  /** What no rule names: `deny` refuses it, `public` refuses addresses that are not public. */
  default: z.enum(['deny', 'public']),
  /** The first that matches decides. */
  rules: z.array(egressRule).max(MAX_NETWORK_RULES),
});
