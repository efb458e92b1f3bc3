import { describe, expect, it } from 'vitest';
import { checkOptions, mtuOf } from './options.ts';

const bridge = (name: string): string => `com.docker.network.bridge.${name}`;
const MTU = 'com.docker.network.driver.mtu';

describe('options of networks', () => {
  it.each([
    [bridge('enable_icc'), 'true'],
    [bridge('enable_ip_masquerade'), '1'],
    [bridge('host_binding_ipv4'), '0.0.0.0'],
    [bridge('name'), ''],
    [MTU, '1400'],
    [MTU, '0'],
  ])('accepts the network option %s=%s', (name, value) => {
    expect(checkOptions({ [name]: value })).toBeUndefined();
  });

  it.each([
    [bridge('enable_icc'), 'false'],
    [bridge('enable_ip_masquerade'), 'false'],
    [bridge('host_binding_ipv4'), '127.0.0.1'],
    [bridge('name'), 'br9'],
    ['com.docker.network.enable_ipv6', 'true'],
    ['parent', 'eth0'],
    ['__proto__', 'x'],
  ])('refuses the network option %s=%s by name', (name, value) => {
    expect(() => checkOptions(JSON.parse(`{"${name}":"${value}"}`))).toThrow(
      expect.objectContaining({
        ...{ code: 'unsupported-option', message: expect.stringContaining(name) },
      }),
    );
  });

  it.each(['67', '65521', 'many', '-1', '1e3'])('refuses the network MTU %s', (value) => {
    expect(() => checkOptions({ [MTU]: value })).toThrow('the MTU');
  });

  it('reads the MTU that a network was created with', () => {
    expect(mtuOf({ [MTU]: '1400' })).toBe(1400);
    expect(mtuOf({ [MTU]: '' })).toBeUndefined();
    expect(mtuOf({})).toBeUndefined();
  });
});
