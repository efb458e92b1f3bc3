/**
 * Networks of the host's choice: how many cards a host may give the box, and which names.
 *
 * @module
 */
import type { Change, Refused } from './resources.ts';

const cards = (name: string, comment: string, most: unknown): Refused => [
  `host-networks-${name}`,
  comment,
  ['network', 'nic'],
  ['hostNetworks', most],
];

const names = (name: string, comment: string, list: unknown, ...more: Change[]): Refused => [
  `host-names-${name}`,
  comment,
  ['network', 'nic'],
  ['hostNetworks', 1],
  ['hostNames', list],
  ...more,
];

/** 256 of them, in order. */
const many = Array.from({ length: 256 }, (_, at) => `n${String(at).padStart(3, '0')}`);

export const HOST_NETWORKS_ACCEPTED: readonly Refused[] = [
  cards('one', 'One card.', 1),
  cards('eight', 'All that there are.', 8),
  names('one', 'A name.', ['db']),
  names('most', 'As many as there can be.', many),
  names('letters', 'All that a name of a box may have.', ['A.b_c-9', 'a'.repeat(253)]),
  names(
    'beside-hosts',
    'Others lead somewhere by the launch spec.',
    ['db'],
    ['hosts', [{ name: 'cache', address: '10.1.2.3' }]],
  ),
];

export const HOST_NETWORKS_RULES: readonly Refused[] = [
  cards('zero', 'An absent number says none.', 0),
  cards('negative', 'Less than none.', -1),
  cards('nine', 'More than there are.', 9),
  cards('half', 'A card is whole.', 1.5),
  cards('text', 'A number as text.', '1'),
  cards('null', 'Null is no value.', null),
  cards('true', 'Not how many.', true),
  cards('names', 'The names of one host mean nothing elsewhere.', ['db']),
  names('empty', 'An absent list says none.', []),
  names('null', 'Null is no value.', null),
  names('text', 'A name without a list.', 'db'),
  names('more', 'More than there can be.', [...many, 'o']),
  names('unsorted', 'Another order is another spelling.', ['db', 'cache']),
  names('twice', 'One name twice.', ['db', 'db']),
  names('case', 'The DNS server of a box knows no case.', ['DB', 'db']),
  names('long', 'Longer than a name is.', ['a'.repeat(254)]),
  names('nothing', 'No name.', ['']),
  names('line', 'A name in two lines.', ['db\n127.0.0.1 web']),
  names('space', 'Two names in one.', ['db web']),
  names('script', 'A letter that is not ASCII.', ['d\u0131b']),
  names('localhost', 'The box itself.', ['localhost']),
  names('localhost-capitals', 'The box itself, in capitals.', ['LocalHost']),
  names('loopback6', 'The box itself, by IPv6.', ['ip6-loopback']),
  names('hostname', 'The name of the box.', ['box']),
  names('hostname-capitals', 'The name of the box, in capitals.', ['BOX']),
  names(
    'domainname',
    'The name of the box with its domain.',
    ['box.example'],
    ['domainname', 'example'],
  ),
  names(
    'hosts',
    'A name that the launch spec gives an address.',
    ['db'],
    ['hosts', [{ name: 'DB', address: '10.1.2.3' }]],
  ),
  [
    'host-names-without-networks',
    'No networks of its host.',
    ['network', 'nic'],
    ['hostNames', ['db']],
  ],
  ['host-networks-without-network', 'No card to begin with.', ['hostNetworks', 1]],
];
