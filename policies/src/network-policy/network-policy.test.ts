import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readPolicyDocument } from '../document.ts';
import { hostName, PolicyError, parseNetworkPolicy, parseNetworkRule } from './network-policy.ts';

describe('a rule', () => {
  it.each([
    ['allow:203.0.113.0/24', 'allow:203.0.113.0/24', 'any', undefined],
    ['allow:203.0.113.7', 'allow:203.0.113.7/32', 'any', undefined],
    ['deny:0.0.0.0/0:udp', 'deny:0.0.0.0/0:udp', 'udp', undefined],
    ['allow:203.0.113.7:icmp', 'allow:203.0.113.7/32:icmp', 'icmp', undefined],
    ['allow:[2001:DB8:0::/32]', 'allow:[2001:db8::/32]', 'any', undefined],
    ['deny:[::/0]:udp', 'deny:[::/0]:udp', 'udp', undefined],
    ['allow:[2001:db8::0:7]:tcp:443', 'allow:[2001:db8::7/128]:tcp:443', 'tcp', [443, 443]],
    ['allow:[2001:db8:8000::/33]:icmp', 'allow:[2001:db8:8000::/33]:icmp', 'icmp', undefined],
    ['allow:API.Example.ORG.:tcp:443', 'allow:api.example.org:tcp:443', 'tcp', [443, 443]],
    ['allow:*.pypi.org:tcp:8000-8010', 'allow:*.pypi.org:tcp:8000-8010', 'tcp', [8000, 8010]],
    ['allow:pypi.org', 'allow:pypi.org:tcp', 'tcp', undefined],
    ['deny:ads.example.org', 'deny:ads.example.org', 'any', undefined],
    ['allow:_sip.example.org:udp:5060', 'allow:_sip.example.org:udp:5060', 'udp', [5060, 5060]],
  ])('reads %s', (text, spelling, protocol, ports) => {
    const { rule } = parseNetworkRule(text);
    expect(rule).toMatchObject({ text: spelling, protocol });
    expect(rule?.ports && [rule.ports.first, rule.ports.last]).toEqual(ports);
    expect(parseNetworkRule(spelling).rule).toEqual(rule);
  });

  it.each([
    ['example.org', 'neither allow: nor deny:'],
    ['Allow:example.org', 'neither allow: nor deny:'],
    ['allow:', 'no name of a host'],
    ['allow:*', 'no name of a host'],
    ['allow:*.', 'no name of a host'],
    ['allow:a.*.org', 'no name of a host'],
    ['allow:*example.org', 'no name of a host'],
    ['allow:bücher.example', 'xn--'],
    // The sign of a kelvin, whose lower case is a letter of ASCII.
    ['allow:\u212a.example', 'xn--'],
    ['allow:a..b', 'no name of a host'],
    [`allow:${'a'.repeat(64)}.org`, 'no name of a host'],
    [`allow:${'a.'.repeat(127)}org`, 'no name of a host'],
    ['allow:host.0x7f', 'no name of a host'],
    ['allow:1.2.3', 'no IPv4 address'],
    ['allow:1.2.3.256', 'no IPv4 address'],
    ['allow:010.0.0.1', 'no IPv4 address'],
    ['allow:1.2.3.4/33', 'no IPv4 address'],
    ['allow:1.2.3.4/8', 'write 1.0.0.0/8'],
    ['allow:2001:db8::/32', 'without brackets'],
    ['allow:::1', 'without brackets'],
    ['allow:[2001:db8::1/32]', 'write [2001:db8::/32]'],
    ['allow:[2001:db8:c000::/33]', 'write [2001:db8:8000::/33]'],
    ['allow:[2001:db8::/129]', 'no IPv6 address'],
    ['allow:[2001:db8::/032]', 'no IPv6 address'],
    ['allow:[2001:db8::/]', 'no IPv6 address'],
    ['allow:[::ffff:10.0.0.1]', 'no IPv6 address'],
    ['allow:[fe80::1%eth0]', 'no IPv6 address'],
    ['allow:[10.0.0.1]', 'no IPv6 address'],
    ['allow:[example.org]', 'no IPv6 address'],
    ['allow:[]', 'no IPv6 address'],
    ['allow:[2001:db8::1', 'something else than a colon'],
    ['allow:[2001:db8::1]tcp', 'something else than a colon'],
    ['allow:[2001:db8::1]:tcp:80:90', 'more than'],
    ['allow:example.org:sctp', 'protocol'],
    ['allow:example.org:443', 'protocol'],
    ['allow:example.org:', 'protocol'],
    ['allow:example.org:tcp:', 'port'],
    ['allow:example.org:tcp:0', 'port'],
    ['allow:example.org:tcp:65536', 'port'],
    ['allow:example.org:tcp:90-80', 'port'],
    ['allow:example.org:tcp:0443', 'port'],
    ['allow:example.org:icmp:8', 'port'],
    ['allow:example.org:tcp:80:90', 'more than'],
    ['allow:example.org tcp', 'no name of a host'],
    [`allow:${'a'.repeat(600)}`, 'longer'],
  ])('refuses %j', (text, fault) => {
    expect(parseNetworkRule(text)).toEqual({ fault: expect.stringContaining(fault) });
  });

  it('takes no number for a name', () => {
    expect(['2130706433', '0x7f000001', 'a.1'].map(hostName)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(hostName('1.example.org')).toBe('1.example.org');
  });
});

describe('a policy', () => {
  it('refuses what no rule names where it does not say otherwise', () => {
    expect(parseNetworkPolicy({})).toEqual({
      ...{ schema: 'a3s-box/network-policy/v1', default: 'deny', rules: [] },
    });
  });

  it('keeps the order of its rules', () => {
    const rules = ['deny:a.example.org', 'allow:*.example.org'];
    expect(parseNetworkPolicy({ rules }).rules.map(({ text }) => text)).toEqual([
      'deny:a.example.org',
      'allow:*.example.org:tcp',
    ]);
  });

  it('names everything that is wrong, by path', () => {
    const wrong = () => parseNetworkPolicy({ rules: ['allow:a.example', 'allow', 7] });
    expect(wrong).toThrow(PolicyError);
    expect(wrong).toThrow(/rules\[1\]: the rule .*; rules\[2\]: the rule is no text/);
    expect(() => parseNetworkPolicy({ default: 'allow' })).toThrow(
      'default: expected one of deny, public',
    );
    expect(() => parseNetworkPolicy({ rule: [], default: 'deny' })).toThrow(
      'did you mean `rules`?',
    );
    const many = Array.from({ length: 129 }, (_, at) => `allow:a${at}.example`);
    expect(() => parseNetworkPolicy({ rules: many })).toThrow('a list of at most 128');
  });

  it('reads the example that is shipped', () => {
    const file = new URL('../../defaults/network-policy-example.yaml', import.meta.url);
    const policy = parseNetworkPolicy(readPolicyDocument(readFileSync(file)));
    expect(policy.default).toBe('deny');
    expect(policy.rules.length).toBeGreaterThan(2);
  });
});
