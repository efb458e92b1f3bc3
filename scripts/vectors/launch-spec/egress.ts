/**
 * The network policy of a box, in a launch spec.
 *
 * @module
 */
import type { Refused } from './resources.ts';

const POLICY = { default: 'deny', rules: ['allow:*.example.org:tcp:443'] };

const egress = (name: string, comment: string, policy: unknown): Refused => [
  `egress-${name}`,
  comment,
  ['network', 'nic'],
  ['egress', policy],
];
const rules = (name: string, comment: string, ...list: readonly unknown[]): Refused =>
  egress(name, comment, { ...POLICY, rules: list });
const name = (length: number): string => 'a.'.repeat(length).slice(0, length);

/** Those that are valid. */
export const EGRESS_ACCEPTED: readonly Refused[] = [
  egress('deny', 'Nothing but one rule.', POLICY),
  egress('public', 'All that is public.', { default: 'public', rules: [] }),
  rules(
    'order',
    'In an order that decides, and one of them twice.',
    'deny:203.0.113.0/24',
    'allow:0.0.0.0/0:udp:8000-8010',
    'allow:203.0.113.7/32:icmp',
    'deny:203.0.113.0/24',
  ),
  rules('underscore', 'A name of a service.', 'allow:_sip.example.org:udp'),
  rules('255', 'The longest target.', `allow:*.${name(253)}`),
  rules('128', 'All of them.', ...Array.from({ length: 128 }, () => 'deny:ads.example.org')),
];

export const EGRESS_RULES: readonly Refused[] = [
  ['egress-without-network', 'Nothing to limit.', ['egress', POLICY]],
  egress('null', 'Null is no value.', null),
  egress('list', 'As flags have it.', POLICY.rules),
  egress('default-missing', 'It is written out.', { rules: [] }),
  egress('default-allow', 'A default that there is not.', { ...POLICY, default: 'allow' }),
  egress('rules-missing', 'It is written out.', { default: 'deny' }),
  egress('schema', 'The schema of a file.', { ...POLICY, schema: 'a3s-box/network-policy/v1' }),
  rules('129', '129 rules.', ...Array.from({ length: 129 }, () => 'deny:ads.example.org')),
  rules('256', '256 characters.', `allow:${'a'.repeat(256)}`),
  rules('empty', 'No rule.', ''),
  rules('number', 'No text.', 7),
  rules('action', 'No action.', 'example.org'),
  rules('action-capital', 'An action has one spelling.', 'Allow:example.org'),
  rules('target', 'No target.', 'allow:'),
  rules('target-capital', 'A name has one spelling.', 'allow:Example.org'),
  rules('target-blank', 'A blank behind it.', 'allow:example.org '),
  rules('target-line-end', 'A line end behind it.', 'allow:example.org\n'),
  rules('target-script', 'Letters of another script.', 'allow:bücher.example'),
  rules('target-ipv6', 'An IPv6 address.', 'allow:[2001:db8::1]'),
  rules('protocol', 'A protocol that there is not.', 'allow:example.org:sctp'),
  rules('protocol-empty', 'No protocol.', 'allow:example.org:'),
  rules('port-alone', 'A port without a protocol.', 'allow:example.org:443'),
  rules('port-icmp', 'A port where there is none.', 'allow:example.org:icmp:8'),
  rules('port-empty', 'No port.', 'allow:example.org:tcp:'),
  rules('port-zero', 'Begins with zero.', 'allow:example.org:tcp:0443'),
  rules('port-six', 'Six digits.', 'allow:example.org:tcp:100000'),
  rules('port-range', 'A range without an end.', 'allow:example.org:tcp:80-'),
  rules('more', 'A part too much.', 'allow:example.org:tcp:80:90'),
];
