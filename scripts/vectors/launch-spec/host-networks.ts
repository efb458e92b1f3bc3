/**
 * Networks of the host's choice: how many cards a host may give the box.
 *
 * @module
 */
import type { Refused } from './resources.ts';

const cards = (name: string, comment: string, most: unknown): Refused => [
  `host-networks-${name}`,
  comment,
  ['network', 'nic'],
  ['hostNetworks', most],
];

export const HOST_NETWORKS_ACCEPTED: readonly Refused[] = [
  cards('one', 'One card.', 1),
  cards('eight', 'All that there are.', 8),
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
  ['host-networks-without-network', 'No card to begin with.', ['hostNetworks', 1]],
];
