/**
 * What the host needs to know to limit what a box reaches. It is kept beside the box's namespace,
 * and the program that serves the namespace reads it.
 *
 * @module
 */
import { parseNetworkPolicy } from '@a3s-box/policies/network-policy';
import * as z from 'zod';
import type { DecidedBy, Policy } from './decide.ts';

/** A policy as it is on record: rules are texts. */
export const RecordedPolicy = z.strictObject({
  default: z.enum(['deny', 'public']),
  rules: z.array(z.string()),
});
export type RecordedPolicy = z.infer<typeof RecordedPolicy>;

export const Egress = z.strictObject({
  /**
   * The user that the program runs as. 0: this process can be no other than it is, as the root of
   * an ordinary user's namespace.
   */
  uid: z.int().min(0),
  /** All of them have to allow what the box does. */
  policies: z
    .array(RecordedPolicy.extend({ of: z.enum(['box', 'network']) }))
    .min(1)
    .max(2),
  /** Where the box sends its questions about names. */
  resolvers: z.array(z.string()).min(1),
  /** Where they are answered. */
  upstreams: z.array(z.string()).min(1),
  /** Names without a dot are those of boxes, which the upstream knows. */
  namesBoxes: z.boolean(),
  /**
   * The network's own addresses, in CIDR notation, which may look public. Absent: there are none.
   */
  boxSubnet: z.string().optional(),
  /** The same of IPv6. Absent: the box has none, and names have no addresses of it. */
  boxSubnet6: z.string().optional(),
  /**
   * The file with the values of the box's egress secrets, which the server alone reads. Absent:
   * there are none.
   */
  secretsFile: z.string().optional(),
  /** The host's own networks, in CIDR notation: they are not public for its boxes. */
  ownSubnets: z.array(z.string()),
});
/** How one box's place in a network is limited. */
export type Egress = z.infer<typeof Egress>;

/** @throws PolicyError for what a later version wrote */
export function readPolicy({ default: byDefault, rules }: RecordedPolicy): Policy {
  return parseNetworkPolicy({ default: byDefault, rules });
}

/** Nothing that a terminal obeys: the program reads what guests send. */
const printable = z.string().regex(/^\P{C}*$/u);

/** A refused connection or name. */
export const Refusal = z.strictObject({
  /** What was refused: `example.org`, `203.0.113.7:443/tcp`. */
  target: printable.max(300),
  /** The policy that refused. */
  of: z.enum(['box', 'network']),
  /** The rule as a text; or why it was none. */
  rule: printable.max(600),
});
export type Refusal = z.infer<typeof Refusal>;

/** The words for what decided. */
export function ruleText(policy: RecordedPolicy, by: DecidedBy): string {
  if (by === 'default') return `default:${policy.default}`;
  if (by === 'dns') return 'a DNS server other than the box’s own needs a rule';
  return readPolicy(policy).rules[by]?.text ?? '';
}
