import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRoutes } from './host-subnets.ts';
import {
  contains,
  formatAddress,
  formatSubnet,
  lastOf,
  overlap,
  parseAddress,
  parseCidr,
  subnetAt,
} from './ipv4.ts';
import { macOf, parseMac } from './mac.ts';

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bits = fc.integer({ min: 0, max: 32 });

describe('IPv4 addresses', () => {
  it('reads each address that it writes', () => {
    fc.assert(fc.property(address, (each) => parseAddress(formatAddress(each)) === each));
  });

  it.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.-4', ' 1.2.3.4', '1.2.3.4/8'])(
    'reads no address in %j',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );

  it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '/8', '10.0.0.0/08'])(
    'reads no subnet in %j',
    (text) => {
      expect(parseCidr(text)).toBeUndefined();
    },
  );

  it('finds the subnet that has an address, with its first and last address', () => {
    fc.assert(
      fc.property(address, bits, (each, size) => {
        const subnet = subnetAt(each, size);
        expect(contains(subnet, each)).toBe(true);
        expect(subnetAt(lastOf(subnet), size)).toEqual(subnet);
      }),
    );
    expect(formatSubnet(subnetAt(0xc0a80155, 24))).toBe('192.168.1.0/24');
  });

  it('says that subnets overlap exactly where one has an address of the other', () => {
    fc.assert(
      fc.property(address, bits, address, bits, (a, aBits, b, bBits) => {
        const [one, other] = [subnetAt(a, aBits), subnetAt(b, bBits)];
        const shared = contains(one, other.base) || contains(other, one.base);
        expect(overlap(one, other)).toBe(shared);
        expect(overlap(other, one)).toBe(shared);
      }),
    );
    expect(overlap(subnetAt(0x0a590100, 24), subnetAt(0x0a590200, 24))).toBe(false);
  });
});

it('reads the subnets of the kernel’s table of routes, and leaves the default route out', () => {
  const table = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    'wg0\t0000590A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0',
    'tun0\t00000000\t01080A0A\t0003\t0\t0\t0\t00000080\t0\t0\t0',
    'tun0\t00000080\t01080A0A\t0003\t0\t0\t0\t00000080\t0\t0\t0',
    'lo\t0100000A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0',
    '',
  ].join('\n');
  expect(parseRoutes(table).map(formatSubnet)).toEqual([
    '192.168.2.0/24',
    '10.89.0.0/16',
    '10.0.0.1/32',
  ]);
});

describe('hardware addresses', () => {
  it('makes the one that Docker makes of an address', () => {
    expect(macOf(0x0a590102)).toBe('02:42:0a:59:01:02');
  });

  it.each(['02:42:AC:11:00:02', '02-42-ac-11-00-02'])('reads %s', (text) => {
    expect(parseMac(text)).toBe('02:42:ac:11:00:02');
  });

  it.each(['', '02:42:ac:11:00', '02:42:ac:11:00:02:03', '02:42-ac:11:00:02', 'zz:42:ac:11:00:02'])(
    'refuses %j, which is no hardware address',
    (text) => {
      expect(() => parseMac(text)).toThrow('invalid MAC address');
    },
  );

  it.each(['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00'])(
    'refuses %s, which is the address of no single card',
    (text) => {
      expect(() => parseMac(text)).toThrow('invalid MAC address');
    },
  );
});
