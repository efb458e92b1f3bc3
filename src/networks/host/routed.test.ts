import { describe, expect, it } from 'vitest';
import type { Endpoint } from './endpoint.ts';
import { ruleset } from './routed.ts';

const endpoint: Endpoint = {
  box: '1'.repeat(64),
  names: ['web'],
  network: {
    ...{ id: 'ab'.repeat(32), subnet: '10.89.1.0/24', gateway: '10.89.1.1' },
    ...{ internal: false, mtu: 1500 },
  },
  ...{ address: '10.89.1.2', mac: '02:00:0a:59:01:02', ports: [] },
};

/** The rules of one chain, in their order. */
function chain(name: string, more: Partial<Endpoint> = {}, table = 'inet box'): string[] {
  const [, rest = ''] = ruleset({ ...endpoint, ...more }).split(`table ${table} {\n`);
  const [, rules = ''] = rest.split(`chain ${name} {`);
  return rules.split('\n}')[0]?.trim().split('\n') ?? [];
}

describe('the rules of a namespace', () => {
  it('drop what has another sender before anything else sees it', () => {
    expect(chain('spoofed')).toEqual([
      'type filter hook prerouting priority raw; policy accept;',
      'iifname tap0 meta protocol != ip drop',
      'iifname tap0 ether saddr != 02:00:0a:59:01:02 drop',
      'iifname tap0 ip saddr != 10.89.1.2 drop',
      'iifname tap0 meta l4proto { tcp, udp } th sport 0 drop',
    ]);
    expect(chain('spoofed', {}, 'arp box')).toEqual([
      'type filter hook input priority filter; policy accept;',
      'iifname tap0 arp saddr ether != 02:00:0a:59:01:02 drop',
      'iifname tap0 arp saddr ip != 10.89.1.2 drop',
    ]);
  });

  it('know a card by its own hardware address, where the network has another', () => {
    const cardMac = '02:00:00:00:00:99';
    for (const table of ['inet box', 'arp box']) {
      const rules = chain('spoofed', { cardMac }, table).join();
      expect(rules).toMatch(/(ether saddr|saddr ether) != 02:00:00:00:00:99 drop/);
      expect(rules).not.toContain('02:00:0a:59:01:02');
    }
  });

  it('take IPv6 of one address in a network that has it, and no neighbour discovery', () => {
    const ipv6 = { subnet: 'fd00:89::/64', gateway: 'fd00:89::1' };
    const six = { network: { ...endpoint.network, ipv6 }, address6: 'fd00:89::2' };
    expect(chain('spoofed', six)).toEqual([
      'type filter hook prerouting priority raw; policy accept;',
      'iifname tap0 meta protocol != { ip, ip6 } drop',
      'iifname tap0 ether saddr != 02:00:0a:59:01:02 drop',
      'iifname tap0 ip saddr != 10.89.1.2 drop',
      'iifname tap0 ip6 saddr != fd00:89::2 drop',
      'iifname tap0 icmpv6 type { 130-137, 143 } drop',
      'iifname tap0 meta l4proto { tcp, udp } th sport 0 drop',
    ]);
    const through = chain('through', six);
    const at = (part: string) => through.findIndex((rule) => rule.includes(part));
    expect(at('@peers6')).toBeGreaterThan(at('@flows6'));
    expect(at('@peers6')).toBeLessThan(at('oifname eth0 meta nfproto ipv4 accept'));
    expect(at('oifname eth0 meta nfproto ipv4 accept')).toBeLessThan(at('iifname tap0 reject'));
    // IPv4 in the form of IPv6 among them.
    expect(at('ip6 daddr { ::/64, fe80::/10')).toBeGreaterThan(at('@flows6'));
    expect(at('ip6 daddr { ::/64, fe80::/10')).toBeLessThan(at('meta nfproto ipv6 accept'));
    expect(at('ip6 saddr fd00:89::1 drop')).toBeLessThan(at('ip6 daddr fd00:89::2 accept'));
    expect(through.slice(at('iifname tap0 reject')).join()).not.toContain('iifname tap0 oifname');
    expect(ruleset(endpoint)).not.toContain('ip6');
  });

  it('let nothing into the namespace itself, and nothing through that no rule names', () => {
    expect(chain('to_host')[0]).toContain('policy drop');
    expect(chain('through')[0]).toContain('policy drop');
  });

  it('bound flows before they let anything through, and refuse link-local addresses', () => {
    const rules = chain('through');
    const at = (part: string) => rules.findIndex((rule) => rule.includes(part));
    expect(at('ct count over 4096')).toBeGreaterThan(at('established'));
    expect(at('ct count over 4096')).toBeLessThan(at('oifname eth0'));
    expect(at('169.254.0.0/16 reject')).toBeLessThan(at('oifname eth0'));
    expect(at('limit rate over 200/second')).toBeLessThan(at('oifname eth0'));
  });

  it('the rules lead out of no internal network', () => {
    expect(chain('through')).toContain('iifname tap0 oifname eth0 meta nfproto ipv4 accept');
    const internal = { network: { ...endpoint.network, internal: true } };
    expect(chain('through', internal)).not.toContain(
      'iifname tap0 oifname eth0 meta nfproto ipv4 accept',
    );
  });

  it('the rules lead between a box and the part of its network that it reaches alone', () => {
    const within = (reaches: string | undefined) =>
      chain('through', { reaches }).filter((rule) => /@peers|ip saddr !=/.test(rule));
    expect(within(undefined)).toEqual([
      'iifname tap0 oifname eth0 ip daddr 10.89.1.0/24 add @peers { ip daddr } accept',
      'iifname eth0 ip saddr != 10.89.1.0/24 drop',
    ]);
    expect(within('10.89.1.128/25')).toEqual([
      'iifname tap0 oifname eth0 ip daddr 10.89.1.128/25 add @peers { ip daddr } accept',
      'iifname eth0 ip saddr != 10.89.1.128/25 drop',
    ]);
    expect(chain('through', { reaches: '10.89.1.2' })).toContain(
      'iifname tap0 oifname eth0 ip daddr 10.89.1.0/24 drop',
    );
  });

  it('the rules lead to the host by one address, for a box that asks for it alone', () => {
    expect(ruleset(endpoint)).not.toContain('169.254.1.2');
    const rules = chain('through', { host: '192.0.2.7' });
    const accepted = rules.indexOf('iifname tap0 ip daddr 169.254.1.2 ct status dnat accept');
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(rules.findIndex((rule) => rule.endsWith('reject')));
    expect(chain('published', { host: '192.0.2.7' })).toContain(
      'iifname tap0 ip daddr 192.0.2.7 dnat ip to 169.254.1.2',
    );
  });

  it('the rules lead to each published port once', () => {
    const one = { hostIp: '0.0.0.0', hostPort: 1, boxPort: 80, protocol: 'tcp' } as const;
    const ports = [one, { ...one, hostPort: 2 }, { ...one, boxPort: 53, protocol: 'udp' as const }];
    expect(chain('published', { ports })).toEqual([
      expect.any(String),
      'iifname pub0 tcp dport { 80 } dnat ip to 10.89.1.2',
      'iifname pub0 udp dport { 53 } dnat ip to 10.89.1.2',
    ]);
    expect(chain('published')).toHaveLength(1);
  });
});
