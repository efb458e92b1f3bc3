import { BrokerEndpoint } from '@a3s-box/policies';
import { describe, expect, it } from 'vitest';
import { parseBroker, parseResource } from './broker.ts';

const KEY = 'a'.repeat(64);

describe('the broker of a box', () => {
  it.each([
    ['https://broker.example', 'broker.example', 443, 'default'],
    ['https://Broker.Example:8443/', 'broker.example', 8443, 'default'],
    ['https://192.0.2.1:1/tenants/team-a', '192.0.2.1', 1, 'team-a'],
    ['https://[2001:DB8::1]:8443', '2001:db8::1', 8443, 'default'],
  ])('takes %s', (url, host, port, tenant) => {
    const broker = parseBroker(`${url},key=${KEY}`);
    expect(broker).toEqual({ host, port, tenant, key: KEY });
    expect(BrokerEndpoint.parse(broker)).toEqual(broker);
  });

  it.each([
    ['https://broker.example', 'it needs key=SHA256'],
    [`https://broker.example,key=${KEY},key=${KEY}`, 'once'],
    [`https://broker.example,${KEY}`, 'it takes URL,key=SHA256'],
    [`https://broker.example,key=${KEY},ca=x`, 'it takes URL,key=SHA256'],
    ['https://broker.example,key=', '64 hexadecimal digits'],
    [`https://broker.example,key=${'A'.repeat(64)}`, '64 hexadecimal digits'],
    [`http://broker.example,key=${KEY}`, 'begins with https://'],
    [`broker.example:8443,key=${KEY}`, 'begins with https://'],
    [`https://,key=${KEY}`, 'begins with https://'],
    [`https://user@broker.example,key=${KEY}`, 'a host, a port and a tenant alone'],
    [`https://broker.example?x,key=${KEY}`, 'a host, a port and a tenant alone'],
    [`https://broker.example/kbs/v0,key=${KEY}`, '/tenants/NAME'],
    [`https://broker.example/tenants/A,key=${KEY}`, 'no usable tenant'],
    [`https://broker.example:0,key=${KEY}`, 'no usable port'],
    [`https://brøker_x.example,key=${KEY}`, 'no usable host'],
  ])('refuses %s', (text, why) => {
    expect(() => parseBroker(text)).toThrow(
      expect.objectContaining({ name: 'RangeError', message: expect.stringContaining(why) }),
    );
  });
});

describe('the path of a secret at its broker', () => {
  it('takes a path, and leaves files of keys alone', () => {
    expect(parseResource('broker/default/db/password')).toEqual({
      resource: 'default/db/password',
      refresh: undefined,
    });
    const again = { resource: 'a/b/c', refresh: 300 };
    expect(parseResource('broker/a/b/c,refresh')).toEqual(again);
    expect(parseResource('broker/a/b/c,refresh=5m')).toEqual(again);
    expect(parseResource('./broker/key.pub')).toBeUndefined();
    expect(parseResource('broker.pub')).toBeUndefined();
  });

  it.each(['', 'a/b', 'a/b/c/d', 'a/../c', 'a/b/c?'])(
    'refuses broker/%s as the path of a secret',
    (path) => {
      expect(() => parseResource(`broker/${path}`)).toThrow('repository/type/tag');
    },
  );
});
