import { expect, it } from 'vitest';
import { podAddresses } from './result.ts';

const IPV4 = { address: '10.89.7.2/24', gateway: '10.89.7.1' };
const of = (...addresses: string[]) =>
  podAddresses({ ips: [IPV4, ...addresses.map((address) => ({ address }))] }, 'eth0');

it('gives a pod the first address of each family, whatever their order', () => {
  const ips = [{ address: 'fd00:89:7::2/64' }, IPV4, { address: 'fd00:89:7::3/64' }];
  expect(podAddresses({ ips }, 'eth0')).toEqual({
    ipv4: { address: '10.89.7.2', prefixLength: 24, gateway: '10.89.7.1' },
    ipv6: { address: 'fd00:89:7::2', prefixLength: 64 },
  });
});

it.each([
  ['fd00::2/8', 8],
  ['fd00::2/126', 126],
  // As plugins that route give it.
  ['fd00::2/128', 64],
  ['fd00::2/127', 64],
  ['fd00::2/7', 64],
  ['fd00::2/0', 64],
])('takes %s for an address in a prefix of %i bits', (cidr, prefixLength) => {
  expect(of(cidr)?.ipv6).toEqual({ address: 'fd00::2', prefixLength });
});

it('spells an IPv6 address as the agent takes it', () => {
  expect(of('FD00:089:0:0:0:0:0:00A/64')?.ipv6?.address).toBe('fd00:89::a');
});

it.each([
  ...['fe80::2/64', 'ff02::1/64', '::1/128', '::/64', '::ffff:10.0.0.1/96', '::ffff:a00:1/96'],
  ...['fd00::2', 'fd00::2%eth0/64', 'fd00::2/129', 'fd00::g/64'],
])('passes over %s, which is no address of a host', (cidr) => {
  expect(of(cidr)?.ipv6).toBeUndefined();
  expect(of(cidr, 'fd00::3/64')?.ipv6?.address).toBe('fd00::3');
});

it('passes over addresses of other devices, and of the side of the node', () => {
  const interfaces = [
    { name: 'veth1' },
    { name: 'eth0', sandbox: '/run/netns/a' },
    { name: 'net1', sandbox: '/run/netns/a' },
  ];
  const ips = [
    { ...IPV4, interface: 1 },
    { address: 'fd00::1/64', interface: 0 },
    { address: 'fd00::2/64', interface: 2 },
    { address: 'fd00::3/64', interface: 1 },
  ];
  expect(podAddresses({ interfaces, ips }, 'eth0')?.ipv6?.address).toBe('fd00::3');
});

it('gives nothing where no IPv4 address is among them', () => {
  expect(podAddresses({ ips: [{ address: 'fd00::2/64' }] }, 'eth0')).toBeUndefined();
});
