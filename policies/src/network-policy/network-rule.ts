/**
 * One rule of a network policy, in one line of text: `allow:*.example.org:tcp:443`.
 *
 * @module
 */

/** What a rule is about. */
export type NetworkTarget =
  /** In CIDR notation, such as `203.0.113.0/24`. */
  | { readonly kind: 'addresses'; readonly subnet: string }
  | { readonly kind: 'name'; readonly name: string }
  /** All names below this one, at any depth, and not the name itself. */
  | { readonly kind: 'below'; readonly name: string };

export interface NetworkRule {
  readonly action: 'allow' | 'deny';
  readonly target: NetworkTarget;
  /** `any` is not written in the text. */
  readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp';
  /** Absent: all of them. */
  readonly ports?: { readonly first: number; readonly last: number };
  /** The rule in its one spelling. */
  readonly text: string;
}

const MAX_NAME = 253;
const MAX_PORT = 65_535;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const PROTOCOLS = ['tcp', 'udp', 'icmp'] as const;

/** A rule, or the reason why the text is none. */
export type ParsedRule =
  | { readonly rule: NetworkRule; readonly fault?: never }
  | { readonly rule?: never; readonly fault: string };

/**
 * Reads `ACTION:TARGET[:PROTOCOL[:PORT[-PORT]]]`. The target is an IPv4 address, a subnet, a name,
 * or `*.NAME`. A rule that allows a name without a protocol is about TCP alone: on other protocols
 * nothing but the address shows whom the box talks to.
 */
export function parseNetworkRule(text: string): ParsedRule {
  if (text.length > 512) return { fault: 'is longer than 512 characters' };
  if (/[[\]]|::/.test(text)) return { fault: 'has an IPv6 address; boxes have no IPv6' };
  const [action, to = '', protocol, ports, ...more] = text.split(':');
  if (action !== 'allow' && action !== 'deny')
    return { fault: 'starts with neither allow: nor deny:' };
  if (more.length > 0) return { fault: 'has more than action, target, protocol and port' };
  const target = readTarget(to);
  if (typeof target === 'string') return { fault: target };
  const named = PROTOCOLS.find((each) => each === protocol);
  if (protocol !== undefined && named === undefined)
    return { fault: 'has a protocol other than tcp, udp and icmp' };
  const range = ports === undefined ? undefined : readPorts(ports);
  if (ports !== undefined && (range === undefined || named === 'icmp')) {
    return { fault: 'has a port that is none: write 443 or 8000-8010, after tcp or udp' };
  }
  const byDefault = action === 'allow' && target.kind !== 'addresses' ? 'tcp' : 'any';
  const effective = named ?? byDefault;
  const words = [action, targetText(target)];
  if (effective !== 'any') words.push(effective);
  if (range !== undefined) words.push(rangeText(range));
  const rule = { action, target, protocol: effective, text: words.join(':') } as const;
  return { rule: range === undefined ? rule : { ...rule, ports: range } };
}

function readTarget(text: string): NetworkTarget | string {
  if (/^[0-9./]+$/.test(text)) return readSubnet(text);
  const isBelow = text.startsWith('*.');
  const name = hostName(isBelow ? text.slice(2) : text);
  if (name === undefined) {
    return 'has a target that is no IPv4 address or subnet, no name of a host and no *.NAME; names in other scripts are written in their xn-- form';
  }
  return { kind: isBelow ? 'below' : 'name', name };
}

/**
 * A host name in its one spelling: lower case, without the last dot.
 *
 * @returns undefined for what is none; a name whose last label is a number would be an address
 */
export function hostName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, '');
  const labels = name.split('.');
  if (name.length > MAX_NAME || !labels.every((label) => LABEL.test(label))) return undefined;
  return /^([0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '') ? undefined : name;
}

function readSubnet(text: string): NetworkTarget | string {
  const found = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  const fault = 'has a target that is no IPv4 address or subnet, such as 203.0.113.0/24';
  if (found === null) return fault;
  const parts = found.slice(1, 5).map(Number);
  const bits = found[5] === undefined ? 32 : Number(found[5]);
  const written = `${parts.join('.')}${found[5] === undefined ? '' : `/${bits}`}`;
  if (written !== text || bits > 32 || parts.some((part) => part > 255)) return fault;
  const address = parts.reduce((sum, part) => sum * 256 + part, 0);
  const base = address - (address % 2 ** (32 - bits));
  const subnet = `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.')}/${bits}`;
  if (base !== address) return `has a subnet with bits behind its prefix: write ${subnet}`;
  return { kind: 'addresses', subnet };
}

function targetText(target: NetworkTarget): string {
  switch (target.kind) {
    case 'addresses':
      return target.subnet;
    case 'name':
      return target.name;
    case 'below':
      return `*.${target.name}`;
  }
}

function readPorts(text: string): { first: number; last: number } | undefined {
  const found = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(text);
  if (found === null) return undefined;
  const first = Number(found[1]);
  const last = Number(found[2] ?? found[1]);
  return first <= last && last <= MAX_PORT ? { first, last } : undefined;
}

function rangeText({ first, last }: { first: number; last: number }): string {
  return first === last ? String(first) : `${first}-${last}`;
}
