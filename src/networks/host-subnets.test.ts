import { expect, it } from 'vitest';
import { parseRoutes6 } from './host-subnets.ts';
import { formatSubnet6 } from './ipv6.ts';

it('reads the IPv6 subnets that the host has a route to, without its default route', () => {
  const zeros = '0'.repeat(32);
  const line = (address: string, bits: string): string =>
    `${address} ${bits} ${zeros} 00 ${zeros} 00000400 00000001 00000000 00000001     eth0`;
  const table = [
    line('20010db8000100020000000000000000', '40'),
    line(zeros, '00'),
    line('20000000000000000000000000000000', '03'),
    line('fd000000000000000000000000000002', '80'),
    '',
  ].join('\n');
  expect(parseRoutes6(table).map(formatSubnet6)).toEqual(['2001:db8:1:2::/64', 'fd00::2/128']);
});
