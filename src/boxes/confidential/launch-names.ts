/**
 * The names that a confidential box was given, as its launch spec has them.
 *
 * @module
 */
import type { LaunchSpec } from '@a3s-box/policies';
import { formatAddress6, parseAddress6 } from '../../networks/ipv6.ts';
import type { BoxDefinition } from '../record/box.ts';
import { NO_NAMES } from '../record/names.ts';
import { hostsOf, resolverOf } from '../spec/resolver.ts';

type Named = Pick<BoxDefinition, 'network'> & Partial<Pick<BoxDefinition, 'names'>>;

/** A box without a network has nobody to ask, and so no resolver. */
export function namesOf({
  network,
  names = NO_NAMES,
}: Named): Pick<LaunchSpec, 'hosts' | 'resolver'> {
  const hosts = (hostsOf(names, undefined) ?? [])
    .map(({ name, address }) => ({ name, address: canonical(address) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  const { search, options = [] } = resolverOf(names);
  const asked = Object.entries({ nameservers: names.servers, search, options });
  const lists = asked.filter(([, list]) => list.length > 0);
  return {
    ...(hosts.length === 0 ? {} : { hosts }),
    ...(network === 'none' || lists.length === 0 ? {} : { resolver: Object.fromEntries(lists) }),
  };
}

/** An address of IPv6 in its one spelling. */
function canonical(address: string): string {
  const parsed = parseAddress6(address);
  return parsed === undefined ? address : formatAddress6(parsed);
}
