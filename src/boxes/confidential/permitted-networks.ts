/**
 * What the launch spec of a confidential box permits its host to do with its networks. The guest
 * enforces it.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { LaunchSpec } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import type { BoxEndpoint } from '../record/endpoint.ts';
import { SpecRefusal } from '../record/spec-refusal.ts';
import { parseLink } from '../spec/links.ts';

/** Undefined for a plain box, and for one whose networks are constants of its agent. */
export function permittedNetworks({
  confidential,
}: Pick<BoxDefinition, 'confidential'>):
  | { readonly cards: number; readonly names: readonly string[] }
  | undefined {
  if (confidential === undefined) return undefined;
  const { hostNetworks, hostNames = [] } = LaunchSpec.parse(JSON.parse(confidential.launchSpec));
  return hostNetworks === undefined ? undefined : { cards: hostNetworks, names: hostNames };
}

/**
 * The hardware address of a card that leads nowhere yet. It keeps it in whatever network: the box's
 * namespace on the host has that of the network.
 */
export function idleMac({ id }: Pick<BoxDefinition, 'id'>, card: number): string {
  const digits = createHash('sha256').update(`card ${card} ${id}`).digest('hex').slice(0, 10);
  return ['02', ...(digits.match(/../g) ?? [])].join(':');
}

/**
 * Refuses a change of the networks of a confidential box that its guest would refuse.
 *
 * @param after the networks that it is to be in; undefined: any
 * @throws A3sError `host-not-permitted`; `unsupported-option` for link-local addresses
 */
export function expectNetworksPermitted(
  box: Pick<Box, 'definition' | 'name'>,
  after?: Pick<BoxDefinition, 'network'> & { readonly endpoints: readonly BoxEndpoint[] },
): void {
  const { definition, name } = box;
  if (definition.confidential === undefined) return;
  const permitted = permittedNetworks(definition);
  if (permitted === undefined) {
    throw new SpecRefusal(
      'host-not-permitted',
      `Cannot change the networks of ${name}: the launch spec of this confidential box lets its host choose none`,
      {
        ...{ box, decided: { rule: 'hostNetworks', needs: [] } },
        remedy: 'Create it with --host-networks. A verifier of the box sees their number.',
      },
    );
  }
  if (after === undefined) return;
  const { network, endpoints } = after;
  const cards = endpoints.length + (network === 'default' ? 1 : 0);
  if (cards > permitted.cards) {
    throw new SpecRefusal(
      'host-not-permitted',
      `Cannot put ${name} into ${cards} networks: the launch spec of this confidential box lets its host choose ${permitted.cards}`,
      {
        ...{ box, decided: { rule: 'hostNetworks', needs: [String(cards)] } },
        remedy: `Disconnect it from another network, or create it with --host-networks ${cards}.`,
      },
    );
  }
  const aliases = endpoints.flatMap(({ links = [] }) => links.map((link) => parseLink(link).alias));
  const foreign = aliases.find((alias) => !permitted.names.includes(alias));
  if (foreign !== undefined) {
    throw new SpecRefusal(
      'host-not-permitted',
      `Cannot link ${name} to a box by the name ${foreign}: the launch spec of this confidential box does not let its host give that name an address`,
      {
        ...{ box, decided: { rule: 'hostNames', needs: [foreign] } },
        remedy: `Create it with --host-name ${foreign}. A verifier of the box sees the name.`,
      },
    );
  }
  if (endpoints.every(({ linkLocal }) => linkLocal === undefined)) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot change the networks of ${name}: LinkLocalIPs is not supported for a confidential box: launch specs have no word for them`,
    { remedy: 'Leave --link-local-ip out.' },
  );
}
