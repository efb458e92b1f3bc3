import { describe, expect, it } from 'vitest';
import { namesOf } from './create-names.ts';

const NONE = { Dns: null, DnsOptions: null, DnsSearch: null, ExtraHosts: null };

describe('the resolver and hosts of a create document', () => {
  it('records no resolver and no hosts where none are asked for', () => {
    expect(namesOf(NONE)).toEqual({ servers: [], options: [], search: [], hosts: [] });
  });

  it.each([
    ['invalid-argument', { Dns: ['resolver'] }],
    ['invalid-argument', { Dns: ['fe80::1%eth0'] }],
    ['invalid-argument', { DnsOptions: ['a\nnameserver 1.2.3.4'] }],
    ['invalid-argument', { DnsSearch: ['a b'] }],
    ['invalid-argument', { ExtraHosts: ['a'] }],
    ['invalid-argument', { ExtraHosts: [':1.2.3.4'] }],
    ['invalid-argument', { ExtraHosts: ['a:host'] }],
    ['invalid-argument', { ExtraHosts: ['a\tb:1.2.3.4'] }],
    ['invalid-argument', { ExtraHosts: ['a:fe80::1%eth0'] }],
  ])('refuses a resolver or hosts with %s: %j', (code, given) => {
    expect(() => namesOf({ ...NONE, ...given })).toThrow(expect.objectContaining({ code }));
  });

  it('records a resolver and hosts as Docker does', () => {
    const Dns = ['9.9.9.9', 'fd00::1'];
    expect(namesOf({ ...NONE, Dns }).servers).toEqual(Dns);
    const ExtraHosts = ['a:1.2.3.4', 'b:[fd00::1]', 'c:host-gateway'];
    expect(namesOf({ ...NONE, ExtraHosts }).hosts).toEqual([
      'a:1.2.3.4',
      'b:fd00::1',
      'c:host-gateway',
    ]);
  });
});
