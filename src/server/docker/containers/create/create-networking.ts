/**
 * The networks that a create document asks for.
 *
 * @module
 */
import { isIP } from 'node:net';
import * as z from 'zod';
import type { BoxDefinition } from '../../../../boxes/record/box.ts';
import { besideNone } from '../../../../boxes/spec/beside-none.ts';
import type { EndpointRequest } from '../../../../boxes/spec/endpoints.ts';
import { A3sError } from '../../../../errors.ts';
import { parseMac } from '../../../../networks/mac.ts';
import { parseRequest } from '../../../http/parse.ts';
import { isZero } from '../../go-document.ts';
import {
  UNSUPPORTED_ENDPOINT,
  type UnsupportedOptions,
  unsupported,
  withoutUnsupported,
} from './unsupported-options.ts';

const OWN_ADDRESS = 'user-specified IP address is supported on user-defined networks only';

const ENDPOINTS = 'NetworkingConfig.EndpointsConfig';

/**
 * Of a DNS label, or several: aliases become names in the network. A service of Compose, whose name
 * is one, may begin with an underscore.
 */
const ALIAS = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,252}$/;

const MacText = z.string().max(64);

/** Options of an endpoint that drivers of Docker read. All others are notes of the client's. */
const READ_BY_DRIVERS = 'com.docker.network.';

const DriverOptions = z.record(z.string().max(1024), z.string().max(4096));

const LinkLocalIps = z.array(z.string().max(64)).max(16).default([]);

const EndpointFields = z.strictObject({
  Aliases: z
    .array(
      z.string().regex(ALIAS, { error: 'must be a name of letters, digits, "_", "." and "-"' }),
    )
    .max(64)
    .default([]),
  MacAddress: MacText.default(''),
  IPAMConfig: z
    .strictObject({
      IPv4Address: z.string().max(64).default(''),
      IPv6Address: z.string().max(64).default(''),
      LinkLocalIPs: LinkLocalIps,
    })
    .prefault({}),
  GwPriority: z
    .int()
    .min(-(2 ** 31))
    .max(2 ** 31 - 1)
    .default(0),
  DriverOpts: DriverOptions.default({}),
  Links: z.array(z.string().max(512)).max(64).default([]),
});
const ENDPOINT_KEYS = Object.keys(EndpointFields.shape);

const IPAM_KEYS = ['IPv4Address', 'IPv6Address', 'LinkLocalIPs'];
/** Of a network that the user has not defined. */
const UNSUPPORTED_IPAM: UnsupportedOptions = {
  IPv4Address: { neutral: isZero, why: OWN_ADDRESS },
  IPv6Address: { neutral: isZero, why: OWN_ADDRESS },
};

/** What is asked for of the network, besides `HostConfig.NetworkMode`. */
export interface NetworkingDocument {
  /** `NetworkingConfig`, unread. */
  readonly networking: unknown;
  /** `MacAddress` of the document itself, unread: of the card in the network of `NetworkMode`. */
  readonly mac: unknown;
  /** `HostConfig.Links`, of the network of `HostConfig.NetworkMode`. */
  readonly links: readonly string[];
  /** The box has none, whatever `default` says. */
  readonly disabled: boolean;
}

interface Networking {
  readonly network: BoxDefinition['network'];
  readonly networkMode?: string;
  /** In a network of its own. */
  readonly mac?: string;
  readonly ownDriverOptions?: Readonly<Record<string, string>>;
  readonly ownLinkLocal?: readonly string[];
  readonly links?: readonly string[];
  readonly boxLinks?: readonly string[];
  readonly endpoints: readonly EndpointRequest[];
}

/**
 * Reads the networks. Whether a user-defined one exists is not known here.
 *
 * @throws A3sError `unsupported-option` with the name, `invalid-argument`
 */
export function parseNetworking(
  mode: string,
  { networking, mac, links, disabled }: NetworkingDocument,
  ignored: string[],
): Networking {
  const asked = kindOf(mode);
  const kind = disabled && asked === 'default' ? 'none' : asked;
  const entries = endpointsOf(networking, ignored);
  const [endpoints, predefined] = [new Map<string, EndpointRequest>(), new Set<string>()];
  let chosen: Predefined = {};
  if (kind === 'user') endpoints.set(mode, readEndpoint(mode, {}, ignored));
  for (const [name, endpoint] of entries) {
    if (name === 'host' || name.startsWith('container:')) throw foreign(name);
    if (['default', 'bridge', 'none'].includes(name)) {
      chosen = { ...chosen, ...readPredefined(name, endpoint, ignored) };
      predefined.add(name === 'none' ? 'none' : 'default');
    } else {
      endpoints.set(name, readEndpoint(name, endpoint, ignored));
    }
  }
  // As in Docker, a client that names networks in its endpoints alone has none but those.
  if (kind === 'none' || (kind === 'default' && entries.length === 0)) predefined.add(kind);
  if (disabled) {
    predefined.delete('default');
    predefined.add('none');
  }
  const main = endpoints.get(mode);
  if (main !== undefined && links.length > 0) {
    endpoints.set(mode, { ...main, links: [...(main.links ?? []), ...links] });
  }
  if (predefined.has('none') && predefined.size + endpoints.size > 1) throw besideNone();
  const [first] = predefined;
  const network = first === 'none' || first === 'default' ? first : 'user';
  if (kind !== 'user' && network !== 'default' && links.length > 0) {
    throw unsupported(
      'HostConfig.Links',
      'the box is not in the default network, nor in a named one',
    );
  }
  // The address beside the image is of the card in the main network.
  const own = network === 'default' && kind !== 'user';
  const ownMac = own ? sameMac(chosen.mac, mac) : chosen.mac;
  const { driverOptions, linkLocal } = chosen;
  return {
    network,
    ...(kind === 'user' && network === 'default' ? { networkMode: mode } : {}),
    ...(ownMac === undefined || network !== 'default' ? {} : { mac: parseMac(ownMac) }),
    ...(driverOptions === undefined || network === 'user'
      ? {}
      : { ownDriverOptions: driverOptions }),
    ...(linkLocal === undefined || network !== 'default' ? {} : { ownLinkLocal: linkLocal }),
    ...(links.length === 0 ? {} : { [kind === 'user' ? 'links' : 'boxLinks']: [...links] }),
    endpoints: own ? [...endpoints.values()] : withMac([...endpoints.values()], mac),
  };
}

/** What an entry of `default`, `bridge` or `none` has chosen. */
interface Predefined {
  readonly mac?: string;
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly linkLocal?: readonly string[];
}

function readPredefined(name: string, endpoint: unknown, ignored: string[]): Predefined {
  const where = `${ENDPOINTS}.${name}.`;
  const absent =
    name === 'none'
      ? { ...UNSUPPORTED_ENDPOINT, MacAddress: { neutral: isZero, why: NO_CARD } }
      : withoutIpam;
  const { MacAddress, DriverOpts, IPAMConfig } = withoutUnsupported(
    ...([
      where,
      endpoint,
      ['MacAddress', 'DriverOpts', 'IPAMConfig'],
      absent,
      { ignored },
    ] as const),
  );
  const { LinkLocalIPs } = withoutUnsupported(
    ...([`${where}IPAMConfig.`, IPAMConfig, ['LinkLocalIPs'], UNSUPPORTED_IPAM] as const),
    { ignored },
  );
  const mac = MacAddress === undefined ? '' : parseRequest(MacText, MacAddress);
  const driverOptions =
    DriverOpts === undefined ? undefined : parseRequest(DriverOptions, DriverOpts);
  return {
    ...(mac === '' ? {} : { mac }),
    ...withDriverOptions(where, driverOptions),
    ...withLinkLocal(parseRequest(LinkLocalIps, LinkLocalIPs)),
  };
}

/** @throws A3sError `unsupported-option` for an option that a driver of Docker reads */
function withDriverOptions(
  where: string,
  driverOptions: Readonly<Record<string, string>> | undefined,
): Pick<Predefined, 'driverOptions'> {
  const names = Object.keys(driverOptions ?? {});
  const read = names.find((name) => name.startsWith(READ_BY_DRIVERS));
  if (read !== undefined) {
    const option = `${where}DriverOpts ${read.slice(0, 64)}`;
    throw unsupported(option, 'it is an option of Docker’s own drivers');
  }
  return driverOptions === undefined || names.length === 0 ? {} : { driverOptions };
}

function kindOf(mode: string): BoxDefinition['network'] {
  if (['', 'default', 'bridge'].includes(mode)) return 'default';
  if (mode === 'none') return 'none';
  if (mode !== 'host' && !mode.startsWith('container:')) return 'user';
  throw unsupported('HostConfig.NetworkMode', `${mode.slice(0, 64)}: ${OWN_CARD}`);
}

/** The default network takes link-local addresses of `IPAMConfig`. */
const { IPAMConfig: _, ...withoutIpam } = UNSUPPORTED_ENDPOINT;

const NO_CARD = 'a box without a network has no card';
const OWN_CARD = 'a box is a microVM, and has a network card of its own';

function foreign(name: string): A3sError {
  return unsupported(ENDPOINTS, `${name.slice(0, 64)}: ${OWN_CARD}`);
}

function endpointsOf(networking: unknown, ignored: string[]): [string, unknown][] {
  const { EndpointsConfig } = withoutUnsupported(
    ...(['NetworkingConfig.', networking, ['EndpointsConfig'], {}, { ignored }] as const),
  );
  return Object.entries(withoutUnsupported(`${ENDPOINTS}.`, EndpointsConfig, undefined, {}));
}

/**
 * Reads one entry of `EndpointsConfig`, or the document by which a box is connected.
 *
 * @throws A3sError `unsupported-option` with the name, `invalid-argument`
 */
export function readEndpoint(
  name: string,
  endpoint: unknown,
  ignored: string[],
  whole = `${ENDPOINTS}.${name.slice(0, 64)}`,
): EndpointRequest {
  const where = `${whole}.`;
  const kept = withoutUnsupported(where, endpoint, ENDPOINT_KEYS, unsupportedOfUser, { ignored });
  const ipam = withoutUnsupported(
    ...([`${where}IPAMConfig.`, kept['IPAMConfig'], IPAM_KEYS, {}] as const),
    { ignored },
  );
  const fields = parseRequest(EndpointFields, { ...kept, IPAMConfig: { ...ipam } });
  return {
    name,
    aliases: fields.Aliases,
    address: orUndefined(fields.IPAMConfig.IPv4Address),
    address6: orUndefined(fields.IPAMConfig.IPv6Address),
    mac: orUndefined(fields.MacAddress),
    gatewayPriority: fields.GwPriority === 0 ? undefined : fields.GwPriority,
    ...(fields.Links.length === 0 ? {} : { links: fields.Links }),
    ...withLinkLocal(fields.IPAMConfig.LinkLocalIPs),
    ...withDriverOptions(where, fields.DriverOpts),
  };
}

/**
 * The addresses are of the box alone: the host lets no packet with one through.
 *
 * @throws A3sError `invalid-argument` in Docker's words, `unsupported-option`
 */
function withLinkLocal(addresses: readonly string[]): Pick<Predefined, 'linkLocal'> {
  for (const address of addresses) {
    if (isIP(address) === 0) {
      throw new A3sError('invalid-argument', `invalid link-local IP address: ${address}`);
    }
    if (!/^169\.254\./.test(address)) {
      throw unsupported('LinkLocalIPs', `${address}: it is not of 169.254.0.0/16`);
    }
  }
  return addresses.length === 0 ? {} : { linkLocal: [...new Set(addresses)] };
}

/** A network that the user has defined has what others have not. */
const unsupportedOfUser: UnsupportedOptions = Object.fromEntries(
  Object.entries(UNSUPPORTED_ENDPOINT).filter(([name]) => !ENDPOINT_KEYS.includes(name)),
);

/** Clients before API 1.44 send the hardware address beside the networks. */
function withMac(endpoints: readonly EndpointRequest[], mac: unknown): readonly EndpointRequest[] {
  if (isZero(mac)) return endpoints;
  const [first, ...others] = endpoints;
  if (first === undefined) {
    throw unsupported('MacAddress', NO_CARD);
  }
  return [{ ...first, mac: sameMac(first.mac, mac) }, ...others];
}

/** @throws A3sError `invalid-argument` for an address beside the image that is another one */
function sameMac(chosen: string | undefined, mac: unknown): string | undefined {
  if (isZero(mac)) return chosen;
  const text = parseRequest(MacText, mac);
  if (chosen === undefined || chosen === text) return text;
  throw new A3sError(
    'invalid-argument',
    'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    { remedy: 'Give it once.' },
  );
}

function orUndefined(text: string): string | undefined {
  return text === '' ? undefined : text;
}
