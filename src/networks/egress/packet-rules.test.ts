import { describe, expect, it } from 'vitest';
import type { Egress, RecordedPolicy } from './egress.ts';
import { egressRules, readMark } from './packet-rules.ts';
import { forgetPackets, readPackets } from './refused-packets.ts';

function rules(
  policies: readonly RecordedPolicy[],
  subnet?: string,
  ipv6?: { inside: string; address: string; subnet: string; gateway: string },
  uid = 1234,
): string {
  const egress: Egress = {
    ...{ uid, resolvers: ['10.0.2.3'], upstreams: ['10.0.2.3'], namesBoxes: false },
    policies: policies.map((policy) => ({ ...policy, of: 'box' as const })),
    ownSubnets: ['198.51.100.0/24'],
  };
  const place = { tap: 'tap0', uplink: 'eth0', inside: '169.254.77.1', address: '10.0.2.15' };
  return egressRules({ ...place, subnet, ipv6, egress });
}

/** The rules of one chain, in their order. */
function chain(
  name: string,
  policies: readonly RecordedPolicy[],
  ...more: [subnet?: string, ipv6?: Parameters<typeof rules>[2]]
): string[] {
  const [, rest = ''] = rules(policies, ...more).split(`chain ${name} {`);
  return rest.split('\n}')[0]?.trim().split('\n') ?? [];
}

const policy: RecordedPolicy = {
  default: 'deny',
  rules: [
    'deny:203.0.113.0/28',
    'allow:*.example.org',
    'allow:a.example:udp:5000-5010',
    'deny:b.example:tcp:80',
    'allow:203.0.113.0/24:icmp',
  ],
};

describe('the rules of a limited namespace', () => {
  it('spares connections to published ports where the program has no user of its own', () => {
    const out = (uid: number): string =>
      /chain out \{[^}]*\}/.exec(rules([policy], undefined, undefined, uid))?.[0] ?? '';
    expect(out(1234)).not.toContain('dnat');
    expect(out(0)).toMatch(/\nct status dnat accept\nmeta skuid 0 jump program\n/);
  });

  it('writes packet rules in the order of the policy, with its default at the end', () => {
    expect(chain('policy0', [policy])).toEqual([
      'ct original ip daddr @never meta mark set 268500991 goto refuse',
      'ct original ip daddr 203.0.113.0/28 meta mark set 268435456 goto refuse',
      'meta nfproto ipv4 @nh,128,32 @p0r1 ip daddr != @special meta l4proto tcp th dport != { 53, 853 } return',
      'meta nfproto ipv4 @nh,128,32 @p0r2 ip daddr != @special udp dport 5000-5010 return',
      'meta nfproto ipv4 @nh,128,32 @p0r3 tcp dport 80-80 meta mark set 268435459 goto refuse',
      'ct original ip daddr 203.0.113.0/24 meta l4proto icmp return',
      'meta l4proto { tcp, udp } th dport { 53, 853 } meta mark set 268500990 goto refuse',
      'meta mark set 268500991 goto refuse',
    ]);
  });

  it('sends a connection to the proxy names where a rule for names decides, and nowhere else', () => {
    expect(chain('web0', [policy])).toEqual([
      'ct original ip daddr 203.0.113.0/28 tcp dport { 80, 443 } return',
      'meta nfproto ipv4 @nh,128,32 @p0r1 tcp dport { 80, 443 } goto checked',
      'meta nfproto ipv4 @nh,128,32 @p0r3 tcp dport { 80 } return',
    ]);
  });

  it('writes sets and rules of IPv6 for a box that has it', () => {
    const six = { inside: '100::1', address: 'fd00::2', subnet: 'fd00::/64', gateway: 'fd00::1' };
    const names = Array.from({ length: 128 }, (_, at) => `allow:a${at}.example`);
    const text = rules([{ default: 'deny', rules: names }], undefined, six);
    const made = [...text.matchAll(/^(?:set|chain) (\w+) /gm)].map(([, name]) => name);
    expect(new Set(made).size).toBe(made.length);
    expect(made).toEqual(expect.arrayContaining(['p0r1_6', 'p0r16', 'p0r127_6', 'pins_6']));
    const of = [
      { default: 'deny' as const, rules: ['allow:[2001:db8::/32]:icmp', 'deny:a.example'] },
    ];
    expect(chain('policy0', of, undefined, six).slice(0, 5)).toEqual([
      'ct original ip daddr @never meta mark set 268500991 goto refuse',
      'ct original ip6 daddr @never_6 meta mark set 268500991 goto refuse',
      'ct original ip6 daddr 2001:db8::/32 meta l4proto icmpv6 return',
      'meta nfproto ipv4 @nh,128,32 @p0r1 meta mark set 268435457 goto refuse',
      'meta nfproto ipv6 @nh,192,128 @p0r1_6 meta mark set 268435457 goto refuse',
    ]);
    expect(rules(of)).not.toMatch(/ip6|ipv6/);
  });

  it('opens public addresses where the policy says so', () => {
    const open = chain('policy0', [{ default: 'public', rules: [] }]);
    expect(open.at(-2)).toBe('ct original ip daddr != @special return');
    expect(rules([{ default: 'public', rules: [] }])).toContain('198.51.100.0/24');
  });

  it('forwards established connections and those to boxes of the network, and no others', () => {
    expect(chain('forward', [policy, policy], '10.89.1.0/24')).toEqual([
      'type filter hook forward priority filter + 10; policy drop;',
      'ct state established,related accept',
      'ct state invalid drop',
      'iifname != tap0 accept',
      'ip daddr { 10.0.2.3 } reject',
      'ip daddr 10.89.1.0/24 accept',
      'jump policy0',
      'jump policy1',
      'accept',
    ]);
    expect(chain('forward', [policy])).not.toContain('ip daddr 10.89.1.0/24 accept');
  });

  it('leaves other ports of a DNS server outside to the policy', () => {
    const forward = chain('forward', [policy]);
    expect(forward).toContain('ip daddr { 10.0.2.3 } meta l4proto { tcp, udp } th dport 53 reject');
    expect(forward).not.toContain('ip daddr { 10.0.2.3 } reject');
  });

  it('lets the egress program reach resolvers, and the web servers of permitted names', () => {
    expect(chain('program', [policy])).toEqual([
      'ip daddr 127.0.0.1 udp dport { 5354, 5355 } accept',
      'ct state established,related accept',
      'ct state invalid drop',
      'ip daddr { 10.0.2.3 } meta l4proto { tcp, udp } th dport 53 accept',
      'ip daddr @never reject with icmpx admin-prohibited',
      'ip daddr @special jump private0',
      'tcp dport { 80, 443 } meta nfproto ipv4 @nh,128,32 @p0r1 accept',
      'tcp dport { 80, 443 } meta nfproto ipv4 @nh,128,32 @p0r2 accept',
      'reject with icmpx admin-prohibited',
    ]);
  });

  it('lets the egress program reach private addresses by rules for them alone', () => {
    const rules = [
      'allow:a.example',
      'deny:10.0.0.1',
      'allow:10.0.0.0/8:tcp:443',
      'allow:10.0.0.0/8:udp',
    ];
    expect(chain('private0', [{ default: 'public', rules }])).toEqual([
      'ip daddr 10.0.0.1/32 reject with icmpx admin-prohibited',
      'ip daddr 10.0.0.0/8 tcp dport 443-443 return',
      'reject with icmpx admin-prohibited',
    ]);
  });

  it('opens the addresses that the egress program names, and drops all else that it sends', () => {
    expect(chain('pin', [policy]).at(-1)).toBe(
      'meta skuid 1234 ip daddr 127.0.0.1 udp dport 5354 goto pins',
    );
    expect(chain('pins', [policy])).toEqual([
      '@th,96,16 vmap { 0 : goto pin_p0r1, 1 : goto pin_p0r2, 2 : goto pin_p0r3 }',
      'drop',
    ]);
    const [first, ...more] = chain('pin_p0r1', [policy]);
    expect(first).toBe('@th,112,16 0 update @p0r1 { @th,64,32 timeout 35s } notrack accept');
    expect(more.at(-1)).toBe('drop');
    expect(rules([{ default: 'deny', rules: ['allow:203.0.113.0/24'] }])).not.toContain('pins');
  });
});

describe('a refused packet', () => {
  const policies = [
    { ...policy, of: 'box' as const },
    { ...policy, of: 'network' as const },
  ];
  const printed = (...elements: (string | number)[][]): string => {
    const elem = elements.map((concat) => ({ elem: { val: { concat }, timeout: 60, expires: 1 } }));
    return JSON.stringify({ nftables: [{ metainfo: {} }, { set: { name: 'refused', elem } }] });
  };

  it('reports a refused packet with its rule', () => {
    const text = printed(
      ['203.0.113.1', 6, 443, 0x1000_0000],
      ['203.0.113.1', 'udp', 53, 0x1001_fffe],
    );
    expect(readPackets(text, policies)).toEqual([
      { target: '203.0.113.1:443/tcp', of: 'box', rule: 'deny:203.0.113.0/28' },
      { target: '203.0.113.1:53/udp', of: 'network', rule: expect.stringContaining('DNS server') },
    ]);
    expect(readPackets(printed(['203.0.113.1', 47, 0, 0x1000_ffff]), policies)).toEqual([
      { target: '203.0.113.1/protocol 47', of: 'box', rule: 'default:deny' },
    ]);
    expect(
      readPackets(
        printed(['2001:db8::1', 58, 0, 0x1000_ffff], ['2001:db8::1', 6, 443, 0x1000_ffff]),
        policies,
      ),
    ).toMatchObject([{ target: '[2001:db8::1]/icmp' }, { target: '[2001:db8::1]:443/tcp' }]);
    expect(readPackets('{"nftables":[{"set":{"name":"refused"}}]}', policies)).toEqual([]);
  });

  it('forgets a refused packet by itself, and not those that come after it was listed', () => {
    const text = printed(['203.0.113.1', 6, 443, 7], ['203.0.113.2', 'udp', 53, 8]);
    const [first, second] = ['203.0.113.1 . 6 . 443 . 7', '203.0.113.2 . udp . 53 . 8'];
    expect(forgetPackets(text, 'refused')).toEqual([
      `add element inet egress refused { ${first} timeout 1s, ${second} timeout 1s }`,
      `delete element inet egress refused { ${first}, ${second} }`,
    ]);
    expect(forgetPackets(printed(), 'refused')).toEqual([]);
    expect(() => forgetPackets(printed(['1 }; flush ruleset', 6, 1, 7]), 'refused')).toThrow();
  });

  it('reads a rule from the mark of a refused packet, and from no other mark', () => {
    expect([0, 1, 0x1002_0000].map(readMark)).toEqual([undefined, undefined, undefined]);
    expect(readMark(0x1001_0005)).toEqual({ policy: 1, by: 5 });
  });
});
