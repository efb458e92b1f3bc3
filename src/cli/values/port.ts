/**
 * Published ports: `[[ip:][hostPort]:]boxPort[/tcp|udp]`, ranges included; `ratls` is the port
 * of a confidential box's RA-TLS server. Exposed ports: `PORT[-PORT][/PROTOCOL]`.
 *
 * @module
 */
import { isIP } from 'node:net';
import { UsageError } from '../usage-error.ts';

export interface PortBinding {
  /** Empty means every address. */
  readonly hostIp: string;
  /** Empty or 0 lets the server choose; of a range, such as `8000-8010`, it takes a free one. */
  readonly hostPort: string;
  /** Such as `80/tcp`. */
  readonly boxPort: string;
}

const MAX_RANGE = 1024;
const RATLS = 'ratls';
const EXPOSED_PROTOCOLS = ['tcp', 'udp', 'sctp'];

/** `boxPort` of the port where a confidential box serves RA-TLS, whatever its number. */
export const RATLS_PORT = `${RATLS}/tcp`;

/**
 * @throws RangeError for a malformed spec; UsageError for a protocol that is not supported
 */
export function parsePort(spec: string): readonly PortBinding[] {
  const { ip, host, box, protocol } = split(spec);
  if (protocol !== 'tcp' && protocol !== 'udp') {
    const what = `unsupported protocol ${protocol} in -p ${spec}: only TCP and UDP are published`;
    throw new UsageError(what, { code: 'unsupported-option' });
  }
  if (box === RATLS && protocol !== 'tcp') throw new RangeError(`invalid protocol: ${spec}`);
  if (ip !== '' && isIP(ip) === 0) throw new RangeError(`invalid IP address: ${ip}`);
  const boxPorts = box === RATLS ? [RATLS] : portRange(box, 'container port');
  if (['', '0'].includes(host)) {
    return boxPorts.map((port) => ({ hostIp: ip, hostPort: host, boxPort: `${port}/${protocol}` }));
  }
  const hostPorts = portRange(host, 'host port');
  // One port of the box gets a port of the range.
  if (boxPorts.length === 1 && hostPorts.length > 1) {
    return [{ hostIp: ip, hostPort: host, boxPort: `${boxPorts[0]}/${protocol}` }];
  }
  if (hostPorts.length !== boxPorts.length) {
    throw new RangeError(
      `Invalid ranges specified for container and host Ports: ${box} and ${host}`,
    );
  }
  return boxPorts.map((port, index) => ({
    hostIp: ip,
    hostPort: String(hostPorts[index]),
    boxPort: `${port}/${protocol}`,
  }));
}

function split(spec: string): { ip: string; host: string; box: string; protocol: string } {
  const slash = spec.indexOf('/');
  const protocol = slash < 0 ? 'tcp' : spec.slice(slash + 1).toLowerCase();
  const ports = slash < 0 ? spec : spec.slice(0, slash);
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(ports);
  const parts = (bracketed?.[2] ?? ports).split(':');
  const box = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  // The text before the ports is an address. An IPv6 address may stand without brackets.
  const ip = bracketed?.[1] ?? parts.join(':');
  if (bracketed !== null && (parts.length > 0 || bracketed[1] === '')) {
    throw new RangeError(`invalid port specification: ${spec}`);
  }
  return { ip, host, box, protocol };
}

/** @throws RangeError that names the malformed part */
function portRange(text: string, what: string): readonly number[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (!(first >= 1 && last <= 65_535 && first <= last)) {
    throw new RangeError(`invalid ${what}: ${text === '' ? 'none given' : text}`);
  }
  if (last - first >= MAX_RANGE) throw new RangeError(`more than ${MAX_RANGE} ports: ${text}`);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Each port as `80/tcp`. @throws RangeError */
export function parseExpose(text: string): readonly string[] {
  const [ports = '', protocol = 'tcp', ...more] = text.split('/');
  const name = protocol.toLowerCase();
  if (more.length > 0 || !EXPOSED_PROTOCOLS.includes(name)) {
    throw new RangeError(`invalid port format for --expose: ${text}`);
  }
  return portRange(ports, 'range format for --expose').map((port) => `${port}/${name}`);
}
