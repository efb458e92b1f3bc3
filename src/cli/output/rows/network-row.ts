/**
 * A network as a row of `network ls`.
 *
 * @module
 */
import type { Network } from '../../../docker-api/network.ts';
import { objectOf, type Received, stringOf } from '../../client/json.ts';
import { utcTime } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

const SHORT_ID = 12;

export const NETWORK_LISTING: Listing = {
  defaults: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
  headers: {
    ID: 'NETWORK ID',
    Name: 'NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
    CreatedAt: 'CREATED AT',
  },
};

/** @param full whether the id is shown whole */
export function networkRow(network: Received<Network>, full: boolean): Row {
  const labels = objectOf(network.Labels);
  const id = stringOf(network.Id);
  return {
    ID: full ? id : id.slice(0, SHORT_ID),
    Name: stringOf(network.Name),
    Driver: stringOf(network.Driver),
    Scope: stringOf(network.Scope),
    IPv6: String(network.EnableIPv6 ?? false),
    Internal: String(network.Internal ?? false),
    Labels: Object.entries(labels)
      .map(([name, value]) => `${name}=${stringOf(value)}`)
      .sort()
      .join(','),
    CreatedAt: utcTime(stringOf(network.Created)),
    Label: (name: string): string => (Object.hasOwn(labels, name) ? stringOf(labels[name]) : ''),
  };
}
