/**
 * Docker's links: names that one box alone has for others of a user-defined network.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Networks } from '../../networks/networks.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import type { BoxEndpoint } from '../record/endpoint.ts';

/** What a link leads to, and the name that it gives. */
export interface Link {
  /** A name of the other box in the network, or its id. */
  readonly target: string;
  readonly alias: string;
}

/** A line of `/etc/hosts`. */
export interface HostLine {
  readonly name: string;
  readonly address: string;
}

/** A name that the agent takes for a line of `/etc/hosts`, and that boxes and aliases can have. */
const NAME = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,252}$/;

/** The agent takes no more. */
const MAX_LINES = 256;

/**
 * Reads `TARGET:ALIAS`, or `TARGET` alone. An inspection of Docker's shows `/TARGET:/BOX/ALIAS`,
 * which clients send back.
 *
 * @throws A3sError `invalid-argument`, in Docker's words
 */
export function parseLink(text: string): Link {
  if (text === '') throw invalid('empty string specified for links');
  const [first = '', second, ...more] = text.split(':');
  if (more.length > 0) throw badFormat(text);
  const isShown = first.startsWith('/') && second !== undefined;
  const target = isShown ? first.slice(1) : first;
  const alias = isShown ? second.slice(second.lastIndexOf('/') + 1) : (second ?? first);
  if (!NAME.test(target) || !NAME.test(alias)) throw badFormat(text);
  return { target, alias };
}

/** The names by which the boxes of a network find one of them. */
export function namesIn(
  { name, definition: { id } }: { readonly name: string; readonly definition: { id: string } },
  { aliases }: Pick<BoxEndpoint, 'aliases'>,
): string[] {
  return [name, ...aliases, id.slice(0, 12)];
}

/** Whether a box has names of its own for others, in these networks. */
export function hasLinks({ endpoints }: Pick<BoxDefinition, 'endpoints'>): boolean {
  return endpoints.some(({ links = [] }) => links.length > 0);
}

/**
 * The lines by which a box finds those that its links lead to. A box that is not in the network at
 * present has none.
 *
 * @param more lines that the box has as well
 */
export function linkedHosts(
  rt: {
    readonly networks: Pick<Networks, 'endpointsOf'>;
    readonly store: { get(id: string): Pick<Box, 'name' | 'definition'> | undefined };
    readonly log: { info(message: string, fields: Readonly<Record<string, unknown>>): void };
  },
  { id, endpoints }: Pick<BoxDefinition, 'id' | 'endpoints'>,
  more: readonly HostLine[] = [],
): HostLine[] {
  const lines = new Map<string, HostLine>();
  const add = (line: HostLine) => lines.set(`${line.name} ${line.address}`, line);
  more.forEach(add);
  for (const { network, links = [] } of endpoints) {
    if (links.length === 0) continue;
    const wanted = links.map(parseLink);
    for (const { box, address, ipv6 } of rt.networks.endpointsOf(network)) {
      const found = rt.store.get(box);
      const place = found?.definition.endpoints.find((each) => each.network === network);
      if (found === undefined || place === undefined) continue;
      const names = new Set([...namesIn(found, place), found.definition.id]);
      const addresses = ipv6 === undefined ? [address] : [address, ipv6.address];
      for (const { target, alias } of wanted) {
        if (!names.has(target)) continue;
        for (const at of addresses) add({ name: alias, address: at });
      }
    }
  }
  // Always in one order, so that a guest that has them already changes nothing.
  const sorted = [...lines.values()].sort(byNameAndAddress);
  const leftOut = sorted.length - MAX_LINES;
  if (leftOut > 0)
    rt.log.info('names of links are left out: there are too many', { box: id, leftOut });
  return sorted.slice(0, MAX_LINES);
}

function byNameAndAddress(a: HostLine, b: HostLine): number {
  const [first, second] = [`${a.name} ${a.address}`, `${b.name} ${b.address}`];
  return first < second ? -1 : first === second ? 0 : 1;
}

function badFormat(text: string): A3sError {
  return invalid(`bad format for links: ${text.slice(0, 128)}`);
}

function invalid(message: string): A3sError {
  return new A3sError('invalid-argument', message, {
    remedy: 'Write a link as BOX:ALIAS, with a box or an alias of the same network.',
  });
}
