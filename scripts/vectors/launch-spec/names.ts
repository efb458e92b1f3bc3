/**
 * How names are resolved: lines of `/etc/hosts`, and the resolver.
 *
 * @module
 */
import type { Refused } from './resources.ts';

const DB = { name: 'db', address: '10.1.2.3' };
const WEB = { name: 'web.example', address: 'fd00::1' };

const hosts = (name: string, comment: string, list: unknown): Refused => [
  `hosts-${name}`,
  comment,
  ['hosts', list],
];
const resolver = (name: string, comment: string, asked: unknown): Refused => [
  `resolver-${name}`,
  comment,
  ['network', 'nic'],
  ['resolver', asked],
];
const spelled = (name: string, comment: string, address: unknown): Refused =>
  hosts(name, comment, [{ ...DB, address }]);

export const NAMES_ACCEPTED: readonly Refused[] = [
  hosts('two', 'Of both families, without a network.', [DB, WEB]),
  hosts('same-name', 'The first address comes first.', [{ ...DB, address: '10.9.9.9' }, DB, DB]),
  hosts('capital', 'Capitals come first, as in their bytes.', [{ ...DB, name: 'Z' }, DB]),
  spelled('zeros', 'The shortest spelling of an address.', '2001:db8:0:1::'),
  hosts('256', 'All the lines.', Array(256).fill(DB)),
  resolver('all', 'All of it, in an order that counts.', {
    nameservers: ['9.9.9.9', '1.1.1.1'],
    ...{ search: ['example.com', '_tcp.example'], options: ['ndots:2', 'rotate'] },
  }),
  resolver('nameservers', 'Other servers alone.', { nameservers: ['9.9.9.9'] }),
  resolver('search', 'Domains alone.', { search: ['example.com'] }),
  resolver('options', 'Options alone.', { options: ['ndots:2'] }),
];

export const NAME_RULES: readonly Refused[] = [
  hosts('empty', 'An absent list says none.', []),
  hosts('null', 'Null is no value.', null),
  hosts('unsorted', 'Out of order.', [WEB, DB]),
  hosts('257', '257 of them.', Array(257).fill(DB)),
  hosts('name-empty', 'No name.', [{ ...DB, name: '' }]),
  hosts('name-line', 'Two lines in one.', [{ ...DB, name: 'db\n1.1.1.1 x' }]),
  hosts('text', 'As the flag has it.', ['db:10.1.2.3']),
  spelled('gateway', 'What the host would choose.', 'host-gateway'),
  spelled('padded', 'Octets have one spelling.', '10.1.2.03'),
  spelled('capital6', 'IPv6 in capitals.', 'FD00::1'),
  spelled('long6', 'IPv6 written out.', 'fd00:0:0:0:0:0:0:1'),
  spelled('single6', 'One group of zeros left out.', '1:2:3::5:6:7:8'),
  spelled('mapped', 'IPv4 as IPv6.', '::ffff:10.1.2.3'),
  spelled('mapped-hex', 'The same, otherwise.', '::ffff:a01:203'),
  spelled('zone', 'A zone means something to one host alone.', 'fe80::1%eth0'),
  ['resolver-without-network', 'Nobody to ask.', ['resolver', { nameservers: ['9.9.9.9'] }]],
  resolver('empty', 'An absent field says nothing.', {}),
  resolver('null', 'Null is no value.', null),
  resolver('nameservers-empty', 'An absent list says none.', { nameservers: [] }),
  resolver('search-empty', 'An absent list says none.', { search: [], options: ['rotate'] }),
  resolver('options-empty', 'An absent list says none.', { options: [] }),
  resolver('nameservers-17', '17 of them.', { nameservers: Array(17).fill('9.9.9.9') }),
  resolver('nameserver-name', 'A name.', { nameservers: ['dns.example'] }),
  resolver('search-space', 'No domain.', { search: ['a b'] }),
  resolver('option-line', 'Two lines in one.', { options: ['rotate\nnameserver 1.1.1.1'] }),
  resolver('timeout', 'An unknown field.', { timeout: 1 }),
];
