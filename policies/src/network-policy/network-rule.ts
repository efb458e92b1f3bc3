/**
 * One rule of a network policy, in one line of text: `allow:*.example.org:tcp:443`.
 *
 * @module
 */

/** What a rule is about. */
export type NetworkTarget =
  /** In CIDR notation, such as `203.0.113.0/24` or `2001:db8::/32`. */
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
 * Reads `ACTION:TARGET[:PROTOCOL[:PORT[-PORT]]]`. The target is an address, a subnet, a name, or
 * `*.NAME`; addresses and subnets of IPv6 stand in brackets. A rule that allows a name without a
 * protocol is about TCP alone: on other protocols nothing but the address shows whom the box talks
 * to.
 */
export function parseNetworkRule(text: string): ParsedRule {
  if (text.length > 512) return { fault: 'is longer than 512 characters' };
  const [, action, bracketed, plain = '', rest = ''] =
    /^(allow|deny):(?:\[([^\]]*)\]|([^:[]*))((?::.*)?)$/s.exec(text) ?? [];
  if (action !== 'allow' && action !== 'deny') {
    return /^(allow|deny):/.test(text)
      ? { fault: 'has something else than a colon behind its target' }
      : { fault: 'starts with neither allow: nor deny:' };
  }
  if (bracketed === undefined && /^[0-9a-f]{0,4}:[0-9a-f:]*:/i.test(plain + rest)) {
    return { fault: 'has an IPv6 address without brackets: write [2001:db8::/32]' };
  }
  const [, protocol, ports, ...more] = rest.split(':');
  if (more.length > 0) return { fault: 'has more than action, target, protocol and port' };
  const target = bracketed === undefined ? readTarget(plain) : readSubnet6(bracketed);
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
    return 'has a target that is no IPv4 address or subnet, no IPv6 one in brackets, no name of a host and no *.NAME; names in other scripts are written in their xn-- form';
  }
  return { kind: isBelow ? 'below' : 'name', name };
}

/**
 * A host name in its one spelling: lower case, without the last dot.
 *
 * @returns undefined for what is none; a name whose last label is a number would be an address
 */
export function hostName(text: string): string | undefined {
  // Lower case makes letters of ASCII of some that are none.
  if (!/^[!-~]+$/.test(text)) return undefined;
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

/** Bits of an address, and of each part of it. */
const BITS6 = 128;
const GROUP_BITS = 16;

function readSubnet6(text: string): NetworkTarget | string {
  const [address = '', length, ...more] = text.split('/');
  const written = length === undefined ? BITS6 : Number(/^(?:0|[1-9]\d{0,2})$/.exec(length)?.[0]);
  const short = shortest(address);
  if (short === undefined || more.length > 0 || !(written <= BITS6)) {
    return 'has a target in brackets that is no IPv6 address or subnet, such as [2001:db8::/32]';
  }
  const groups = groupsOf(short).map((group, at) => {
    const kept = Math.min(GROUP_BITS, Math.max(0, written - at * GROUP_BITS));
    return group & (0xffff << (GROUP_BITS - kept)) & 0xffff;
  });
  const base = shortest(groups.map((group) => group.toString(16)).join(':')) ?? '';
  if (base === short) return { kind: 'addresses', subnet: `${base}/${written}` };
  return `has a subnet with bits behind its prefix: write [${base}/${written}]`;
}

/**
 * The one spelling of an IPv6 address: RFC 5952.
 *
 * @returns undefined for what is none, has a zone, or has a part in dotted notation
 */
function shortest(text: string): string | undefined {
  if (!/^[0-9a-fA-F:]+$/.test(text) || !text.includes(':')) return undefined;
  try {
    return new URL(`http://[${text}]/`).hostname.slice(1, -1);
  } catch {
    return undefined;
  }
}

/** The eight parts of an address in its one spelling. */
function groupsOf(short: string): number[] {
  const [head = [], tail = []] = short
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: BITS6 / GROUP_BITS - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
}

function targetText(target: NetworkTarget): string {
  switch (target.kind) {
    case 'addresses':
      return target.subnet.includes(':') ? `[${target.subnet}]` : target.subnet;
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
