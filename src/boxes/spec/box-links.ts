/**
 * Docker's links in `bridge`: a box reaches another one, and has names and variables for it.
 *
 * @module
 */
import { requireFeature } from '../../engine/engine-name.ts';
import { A3sError } from '../../errors.ts';
import { targetAddress } from '../../networks/links.ts';
import type { NetworkRecord } from '../../networks/network.ts';
import type { Networks } from '../../networks/networks.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import type { BoxStore } from '../record/store.ts';
import { type HostLine, parseLink } from './links.ts';

interface LinkedBox {
  readonly alias: string;
  readonly target: Box;
}

type Linking = Pick<Box, 'name'> & { readonly definition: Pick<BoxDefinition, 'boxLinks'> };
type Boxes = { readonly store: Pick<BoxStore, 'get'> };
type Linked = Boxes & { readonly networks: Pick<Networks, 'linksTo'> };

/** Docker adds these to every image. */
const UNTOLD: ReadonlySet<string> = new Set(['HOME', 'PATH']);

/**
 * Finds the boxes that a new box is to be linked to.
 *
 * @returns of several links with one alias the first, as Docker does
 * @throws A3sError `invalid-argument` in Docker's words; `unsupported-option`, `engine-unsupported`
 * for a box that nothing can be linked to
 */
export function resolveBoxLinks(
  rt: { readonly store: Pick<BoxStore, 'resolve'> },
  {
    boxLinks = [],
    confidential,
  }: { boxLinks?: readonly string[] | undefined; confidential?: unknown },
): NonNullable<BoxDefinition['boxLinks']> {
  const found = new Map<string, string>();
  for (const text of boxLinks) {
    const link = parseLink(text);
    if (confidential !== undefined) throw confidentialLink('a confidential box');
    const target = resolveTarget(rt, link.target);
    expectLinkable(target);
    if (!found.has(link.alias)) found.set(link.alias, target.definition.id);
  }
  return [...found].map(([alias, box]) => ({ alias, box }));
}

/** @throws A3sError `unsupported-option`, `engine-unsupported` */
export function expectLinkable({ definition, name }: Box): void {
  if (definition.confidential !== undefined) throw confidentialLink(`to ${name}`);
  requireFeature(definition.engine?.name, 'networks', `link to ${name}`);
}

/** As in Docker, a link ends with the box that it leads to. */
export function boxLinksOf({ store }: Boxes, { definition }: Pick<Linking, 'definition'>) {
  return (definition.boxLinks ?? []).flatMap(({ box, alias }): LinkedBox[] => {
    const target = store.get(box);
    return target === undefined ? [] : [{ alias, target }];
  });
}

/** The links of a box, as an inspection shows them. */
export function shownBoxLinks(rt: Boxes, box: Linking): string[] {
  return boxLinksOf(rt, box).map(({ alias, target }) => `/${target.name}:${linkName(box, alias)}`);
}

/** The names that links give boxes, besides their own, by their ids. */
export function linkNames(boxes: readonly Linking[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const box of boxes) {
    for (const { box: id, alias } of box.definition.boxLinks ?? []) {
      names.set(id, [...(names.get(id) ?? []), linkName(box, alias)]);
    }
  }
  return names;
}

/** What Docker calls a link: the box that has it, and the name that it gives. */
export function linkName({ name }: Pick<Box, 'name'>, alias: string): string {
  return `/${name}/${alias}`;
}

/** The links that lead somewhere: those of a box in `bridge`. */
export function activeLinks(
  rt: Boxes,
  { definition }: { readonly definition: Pick<BoxDefinition, 'boxLinks' | 'network'> },
): LinkedBox[] {
  return definition.network === 'default' ? boxLinksOf(rt, { definition }) : [];
}

/** The lines of `/etc/hosts` for them, while those that they lead to have addresses. */
export function boxLinkLines(
  rt: Linked,
  definition: Pick<BoxDefinition, 'boxLinks' | 'network'>,
): HostLine[] {
  return addressed(rt, { definition }).flatMap(({ alias, target, address }) => {
    const names = new Set([alias, target.definition.hostname, target.name]);
    return [...names].map((name) => ({ name, address }));
  });
}

/**
 * The box, with the variables that its processes get for its links. Its own come after them, and
 * replace those of the same names.
 */
export function withLinkVariables<B extends Pick<Box, 'name' | 'definition'>>(
  rt: Linked,
  box: B,
): B {
  const variables = addressed(rt, box).flatMap(({ alias, target, address }) =>
    variablesOf(linkName(box, alias), address, target.definition),
  );
  if (variables.length === 0) return box;
  return { ...box, definition: { ...box.definition, env: [...variables, ...box.definition.env] } };
}

function addressed(rt: Linked, box: Parameters<typeof activeLinks>[1]) {
  return activeLinks(rt, box).flatMap((link) => {
    const network: NetworkRecord | undefined = rt.networks.linksTo(link.target.definition.id);
    return network === undefined ? [] : [{ ...link, address: targetAddress(network) }];
  });
}

interface ExposedPort {
  readonly number: number;
  readonly protocol: string;
}

/** The variables of one link, as Docker documents them. */
function variablesOf(
  name: string,
  address: string,
  { env, exposedPorts }: Pick<BoxDefinition, 'env' | 'exposedPorts'>,
): string[] {
  const prefix = name
    .slice(name.lastIndexOf('/') + 1)
    .toUpperCase()
    .replaceAll('-', '_');
  const url = ({ number, protocol }: ExposedPort) => `${protocol}://${address}:${number}`;
  const port = ({ number, protocol }: ExposedPort) =>
    `${prefix}_PORT_${number}_${protocol.toUpperCase()}`;
  const ports = sortedPorts(exposedPorts);
  const [first] = ports;
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${url(first)}`]),
    ...ports.flatMap((each) => [
      `${port(each)}=${url(each)}`,
      `${port(each)}_ADDR=${address}`,
      `${port(each)}_PORT=${each.number}`,
      `${port(each)}_PROTO=${each.protocol}`,
    ]),
    ...runsOf(ports).flatMap(([start, end]) => [
      `${port(start)}_START=${url(start)}`,
      `${port(start)}_PORT_START=${start.number}`,
      `${port(start)}_END=${url(end)}`,
      `${port(start)}_PORT_END=${end.number}`,
    ]),
    `${prefix}_NAME=${name}`,
    ...env
      .filter((entry) => entry.includes('=') && !UNTOLD.has(entry.slice(0, entry.indexOf('='))))
      .map((entry) => `${prefix}_ENV_${entry}`),
  ];
}

/** Those of TCP first, then by number. */
function sortedPorts(exposed: readonly string[]): ExposedPort[] {
  const order = ({ protocol }: ExposedPort) => (protocol === 'tcp' ? '' : protocol);
  return exposed
    .map((text) => {
      const [number = '', protocol = 'tcp'] = text.split('/');
      return { number: Number.parseInt(number, 10), protocol };
    })
    .sort((a, b) => (order(a) === order(b) ? a.number - b.number : order(a) < order(b) ? -1 : 1));
}

/** The first and the last of ports that follow on each other, where there are several. */
function runsOf(ports: readonly ExposedPort[]): [start: ExposedPort, end: ExposedPort][] {
  const runs: [ExposedPort, ExposedPort][] = [];
  for (const port of ports) {
    const run = runs.at(-1);
    const isNext = run?.[1].number === port.number - 1 && run[1].protocol === port.protocol;
    if (run !== undefined && isNext) run[1] = port;
    else runs.push([port, port]);
  }
  return runs.filter(([start, end]) => start !== end);
}

function resolveTarget(rt: { readonly store: Pick<BoxStore, 'resolve'> }, name: string): Box {
  try {
    return rt.store.resolve(name);
  } catch (cause) {
    if (!(cause instanceof A3sError) || cause.code !== 'no-such-box') throw cause;
    // Clients take a missing box at create for a missing image.
    throw new A3sError(
      'invalid-argument',
      `could not get container for ${name}: ${cause.message}`,
      {
        remedy: 'List boxes with a3s-box ps -a.',
      },
    );
  }
}

function confidentialLink(what: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot link ${what} in bridge: the launch spec of a confidential box has its environment, and no word for what such a link adds to it`,
    {
      remedy:
        'Use a user-defined network (--network NAME), in which both are and --link gives a name.',
    },
  );
}
