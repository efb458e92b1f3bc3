import { describe, expect, it } from 'vitest';
import { hostAddress } from '../../networks/host-address.ts';
import { NO_NAMES } from '../record/names.ts';
import { gatewayFor, hostsOf, resolverOf } from './resolver.ts';

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
