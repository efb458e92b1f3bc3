import { describe, expect, it } from 'vitest';
import { parseAnyAddress, readAnySubnet } from '../address.ts';
import { type AskedNetwork, explain } from './explain.ts';

const own: AskedNetwork = { own: [], subnets: [], hasIpv6: false, resolvers: [] };
const shared: AskedNetwork = {
  ...{ own: [], hasIpv6: false, resolvers: [readAddress('10.89.1.1')] },
  subnets: [readAnySubnet('10.89.1.0/24')],
};
const limit = (...rules: string[]) => [{ of: 'box' as const, default: 'deny' as const, rules }];

function readAddress(text: string) {
  const address = parseAnyAddress(text);
  if (address === undefined) throw new RangeError(text);
  return address;
}

function to(text: string, port = 443) {
  const address = parseAnyAddress(text);
  return {
    ...(address === undefined ? { name: text } : { address }),
    protocol: 'tcp',
    port,
  } as const;
}

it('says that a rule for a name opens no DNS server', () => {
  const asked = (port: number) => explain(limit('allow:a.example'), to('a.example', port), own);
  expect(asked(443)).toMatchObject({ allowed: true, rule: 'allow:a.example:tcp' });
  expect(asked(853)).toMatchObject({
    allowed: false,
    rule: expect.stringContaining('DNS server'),
  });
});

describe('an explanation', () => {
  it('says that boxes of the same network are not outside, by address and by name', () => {
    for (const host of ['10.89.1.7', 'db']) {
      expect(explain(limit('deny:0.0.0.0/0'), to(host), shared)).toEqual({
        ...{ allowed: true, of: undefined, notes: [] },
        rule: expect.stringContaining('boxes of the same network'),
      });
    }
    // A network that the box has to itself has no names of boxes.
    expect(explain(limit(), to('db'), own)).toMatchObject({ allowed: false, of: 'box' });
    expect(explain(limit(), to('10.89.2.7'), shared)).toMatchObject({ allowed: false, of: 'box' });
    expect(explain(limit(), to('db.example'), shared)).toMatchObject({ allowed: false, of: 'box' });
  });

  it('says that questions about names go to the box’s own DNS servers', () => {
    const network = { ...own, resolvers: [readAddress('192.0.2.53')] };
    expect(explain(limit(), to('192.0.2.53', 53), network)).toMatchObject({ allowed: true });
    for (const [host, port] of [
      ['192.0.2.53', 853],
      ['192.0.2.54', 53],
    ] as const) {
      expect(explain(limit(), to(host, port), network)).toMatchObject({
        allowed: false,
        of: 'box',
      });
    }
  });

  it('says that no IPv6 address is reached from a network without IPv6', () => {
    const policies = limit('allow:[2001:db8::/32]');
    expect(explain(policies, to('2001:db8::1'), own)).toMatchObject({
      ...{ allowed: false, of: undefined, rule: expect.stringContaining('no IPv6') },
    });
    const network = { ...own, hasIpv6: true };
    expect(explain(policies, to('2001:db8::1'), network)).toMatchObject({ allowed: true });
  });

  it('says that metadata services are reached by nobody, with or without a policy', () => {
    const network = { ...own, hasIpv6: true };
    for (const host of ['169.254.169.254', 'fe80::1', '::ffff:7f00:1', 'fd00:ec2::254']) {
      expect(explain([], to(host, 80), network)).toMatchObject({ allowed: false, of: undefined });
      expect(explain(limit('allow:0.0.0.0/0', 'allow:[::/0]'), to(host), network)).toMatchObject({
        ...{ allowed: false, of: 'box', rule: 'default:deny' },
      });
    }
    expect(explain([], to('192.0.2.1'), network)).toMatchObject({ allowed: true, rule: '' });
  });
});
