import { describe, expect, it } from 'vitest';
import { parseDns, parseDomain, parseExtraHost } from './names.ts';

describe('parseExtraHost', () => {
  it.each([
    ['a:1.2.3.4', 'a:1.2.3.4'],
    ['a=1.2.3.4', 'a:1.2.3.4'],
    ['a:fd00::1', 'a:fd00::1'],
    ['a=[fd00::1]', 'a:fd00::1'],
    ['host.docker.internal:host-gateway', 'host.docker.internal:host-gateway'],
  ])('reads %s', (text, host) => expect(parseExtraHost(text)).toBe(host));

  it.each(['', 'a', ':1.2.3.4', 'a:', 'a:1.2.3', 'a:b'])('refuses %s', (text) =>
    expect(() => parseExtraHost(text)).toThrow(RangeError),
  );
});

describe('parseDomain', () => {
  it.each(['.', 'example.com', 'a', 'a-b.c.'])('reads %s', (text) =>
    expect(parseDomain(text)).toBe(text),
  );
  it.each(['', '..', '-a', 'a b', 'a\nb', `${'a'.repeat(255)}`])('refuses %j', (text) =>
    expect(() => parseDomain(text)).toThrow(RangeError),
  );
});

describe('parseDns', () => {
  it('reads an address alone', () => {
    expect(parseDns(' 1.1.1.1')).toBe('1.1.1.1');
    expect(() => parseDns('dns.google')).toThrow('IP address is not correctly formatted');
  });
});
