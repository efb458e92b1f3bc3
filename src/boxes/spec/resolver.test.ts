import { describe, expect, it } from 'vitest';
import { hostAddress } from '../../networks/host-address.ts';
import { NO_NAMES } from '../record/names.ts';
import { guestNic } from './network.ts';
import { checkServers, gatewayFor, hostsOf, ownServers, resolverOf } from './resolver.ts';

describe('the resolver of a box', () => {
  it('a resolver gets the options of its network, unless the user names others', () => {
    expect(resolverOf(NO_NAMES)).toEqual({ search: [] });
    expect(resolverOf(NO_NAMES, ['ndots:0'])).toEqual({ search: [], options: ['ndots:0'] });
    const names = { ...NO_NAMES, options: ['rotate', 'ndots:2'] };
    expect(resolverOf(names, ['ndots:0'])).toEqual({ search: [], options: ['rotate', 'ndots:2'] });
  });

  it('a resolver gets no domain where a dot is asked for', () => {
    expect(resolverOf({ ...NO_NAMES, search: ['.'] }).search).toEqual([]);
    expect(resolverOf({ ...NO_NAMES, search: ['a.b', 'c'] }).search).toEqual(['a.b', 'c']);
  });
});

describe('the DNS servers of a box', () => {
  const six = { ...NO_NAMES, servers: ['2620:fe::fe'] };
  const both = { ...NO_NAMES, servers: ['2620:fe::fe', '9.9.9.9'] };

  it('asks no server at an IPv6 address from the network that a box has to itself', () => {
    expect(ownServers(both)).toEqual(['9.9.9.9']);
    expect(guestNic('', both).nameservers).toEqual(['9.9.9.9']);
    // Nobody, and not the host's own server, which it was not to ask.
    expect(guestNic('', six).nameservers).toEqual([]);
    expect(guestNic('', NO_NAMES).nameservers).toEqual(['10.0.2.3']);
  });

  it('refuses servers at IPv6 addresses alone in the default network, and in no other', () => {
    expect(() => checkServers({ network: 'default', endpoints: [], names: six })).toThrow(
      expect.objectContaining({
        code: 'unsupported-option',
        message: expect.stringContaining('2620:fe::fe'),
      }),
    );
    for (const network of ['user', 'none'] as const) {
      expect(checkServers({ network, endpoints: [], names: six })).toBeUndefined();
    }
    expect(checkServers({ network: 'default', endpoints: ['db'], names: six })).toBeUndefined();
    for (const names of [NO_NAMES, both]) {
      expect(checkServers({ network: 'default', endpoints: [], names })).toBeUndefined();
    }
  });
});

describe('the hosts of a box', () => {
  it('the hosts of a box are those asked for, with the address of the host for host-gateway', async () => {
    const names = { ...NO_NAMES, hosts: ['a:1.2.3.4', 'six:fd00::1', 'h:host-gateway'] };
    expect(hostsOf(names, '10.0.0.9')).toEqual([
      { name: 'a', address: '1.2.3.4' },
      { name: 'six', address: 'fd00::1' },
      { name: 'h', address: '10.0.0.9' },
    ]);
    expect(hostsOf(NO_NAMES, undefined)).toBeUndefined();
    const address = await hostAddress();
    if (address === undefined) {
      await expect(gatewayFor(names)).rejects.toMatchObject({ code: 'network-unavailable' });
    } else {
      expect(await gatewayFor(names)).toBe(address);
    }
    expect(await gatewayFor({ ...NO_NAMES, hosts: ['a:1.2.3.4'] })).toBeUndefined();
  });
});
