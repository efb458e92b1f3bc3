import { parseNetworkPolicy } from '@a3s-box/policies/network-policy';
import { describe, expect, it } from 'vitest';
import { readAddress, readSubnet } from '../ipv4.ts';
import { decideConnection, decideName, mayResolveTo } from './decide.ts';

const policy = (rules: string[], byDefault = 'deny') =>
  parseNetworkPolicy({ default: byDefault, rules });
const to = (address: string, port = 443, protocol: 'tcp' | 'udp' = 'tcp') => ({
  ...{ address: readAddress(address), port, protocol },
});

describe('a name', () => {
  const rules = [
    'deny:ads.example.org',
    'deny:x.example.org:udp',
    'allow:*.example.org',
    'allow:example.net',
  ];
  it.each([
    ['www.example.org', true, 2],
    ['a.b.example.org', true, 2],
    ['x.example.org', true, 2],
    ['example.net', true, 3],
    ['ads.example.org', false, 0],
    ['example.org', false, 'default'],
    ['badexample.org', false, 'default'],
    ['www.example.org.evil.example', false, 'default'],
    ['www.example.net', false, 'default'],
  ])('decides the name %s by the first rule that is about it', (name, allowed, by) => {
    expect(decideName(policy(rules), name)).toEqual({ allowed, by });
  });

  it('resolves a name where public addresses are open, unless a rule denies the name', () => {
    const open = policy(['deny:ads.example.org'], 'public');
    expect(decideName(open, 'any.example').allowed).toBe(true);
    expect(decideName(open, 'ads.example.org')).toEqual({ allowed: false, by: 0 });
  });

  it('gives a name a private address only by a rule for it, and never one of the host', () => {
    const names = policy(['allow:*.corp.example']);
    const both = policy(['allow:*.corp.example', 'allow:10.1.0.0/16:tcp:443']);
    const may = (one: typeof names, address: string) =>
      mayResolveTo([one], readAddress(address), []);
    expect(may(names, '203.0.113.1')).toBe(true);
    expect(may(names, '10.1.2.3')).toBe(false);
    expect(may(both, '10.1.2.3')).toBe(true);
    expect(may(both, '10.2.2.3')).toBe(false);
    const all = policy(['allow:0.0.0.0/0']);
    for (const address of [
      '127.0.0.1',
      '169.254.169.254',
      '168.63.129.16',
      '100.100.100.200',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
    ]) {
      expect(may(all, address)).toBe(false);
      expect(decideConnection(all, to(address))).toEqual({ allowed: false, by: 'default' });
      expect(mayResolveTo([all], readAddress(address), [readSubnet('0.0.0.0/0')])).toBe(false);
    }
    expect(mayResolveTo([both, names], readAddress('10.1.2.3'), [])).toBe(false);
  });
});

it('gives a name no address of the host’s own networks unless a rule allows the address', () => {
  const own = [readSubnet('198.51.100.0/24')];
  const may = (rules: string[], address: string) =>
    mayResolveTo([policy(rules, 'public')], readAddress(address), own);
  expect(may(['allow:a.example'], '198.51.100.7')).toBe(false);
  expect(may(['allow:a.example'], '203.0.113.1')).toBe(true);
  expect(may(['allow:a.example', 'allow:198.51.100.7'], '198.51.100.7')).toBe(true);
  expect(may(['deny:198.51.100.7', 'allow:198.51.100.0/24'], '198.51.100.7')).toBe(false);
});

it('connects to a private address by a rule for that port and protocol of it alone', () => {
  const rules = policy(['allow:a.example', 'deny:10.0.0.5:tcp:22', 'allow:10.0.0.5:tcp']);
  const may = (port: number, protocol: 'tcp' | 'udp') =>
    mayResolveTo([rules], readAddress('10.0.0.5'), [], { port, protocol });
  expect([may(22, 'tcp'), may(443, 'tcp'), may(443, 'udp')]).toEqual([false, true, false]);
});

describe('a connection', () => {
  it('decides a connection by the first rule that matches, for a name or for an address', () => {
    const rules = [
      'deny:203.0.113.0/28',
      'allow:a.example',
      'deny:203.0.113.0/24:udp',
      'allow:203.0.113.0/24',
    ];
    const by = (address: string, more = {}) =>
      decideConnection(policy(rules), { ...to(address), ...more }).by;
    expect(by('203.0.113.1', { name: 'a.example' })).toBe(0);
    expect(by('203.0.113.100', { name: 'a.example' })).toBe(1);
    expect(by('203.0.113.100')).toBe(3);
    expect(by('203.0.113.100', { protocol: 'udp', name: 'a.example' })).toBe(2);
    expect(by('198.51.100.1')).toBe('default');
  });

  it('allows connections to the ports of a rule alone', () => {
    const some = policy(['allow:203.0.113.0/24:tcp:8000-8010']);
    const allowed = [7999, 8000, 8010, 8011].map(
      (port) => decideConnection(some, to('203.0.113.1', port)).allowed,
    );
    expect(allowed).toEqual([false, true, true, false]);
  });

  it('allows no DNS server by a rule for a name that does not say the port', () => {
    const by = (rules: string[], port: number) =>
      decideConnection(policy(rules), { ...to('203.0.113.1', port), name: 'a.example' });
    const refused = { allowed: false, by: 'dns' };
    expect([53, 853].map((port) => by(['allow:a.example'], port))).toEqual([refused, refused]);
    expect(by(['allow:a.example'], 54).allowed).toBe(true);
    expect(by(['allow:a.example:tcp:853'], 853).allowed).toBe(true);
    expect(by(['allow:a.example', 'allow:203.0.113.1'], 53)).toEqual({ allowed: true, by: 1 });
    expect(by(['deny:a.example'], 53)).toEqual({ allowed: false, by: 0 });
  });

  it('allows public addresses alone by default:public, and no DNS server without a rule', () => {
    const open = policy([], 'public');
    const allowed = (address: string, port = 443) =>
      decideConnection(open, to(address, port), [readSubnet('198.51.100.0/24')]).allowed;
    expect(allowed('203.0.113.1')).toBe(true);
    expect(
      ['10.0.0.1', '192.168.1.1', '169.254.169.254', '168.63.129.16', '198.51.100.7'].filter(
        (each) => allowed(each),
      ),
    ).toEqual([]);
    expect([allowed('203.0.113.1', 53), allowed('203.0.113.1', 853)]).toEqual([false, false]);
    const rule = policy(['allow:203.0.113.1:udp:53'], 'public');
    expect(decideConnection(rule, to('203.0.113.1', 53, 'udp'))).toEqual({ allowed: true, by: 0 });
  });
});
