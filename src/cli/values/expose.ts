/**
 * `--expose PORT[-PORT][/PROTOCOL]`.
 *
 * @module
 */
import { portRange } from './port.ts';

const PROTOCOLS = ['tcp', 'udp', 'sctp'];

/** Each port as `80/tcp`. @throws RangeError */
export function parseExpose(text: string): readonly string[] {
  const [ports = '', protocol = 'tcp', ...more] = text.split('/');
  const name = protocol.toLowerCase();
  if (more.length > 0 || !PROTOCOLS.includes(name)) {
    throw new RangeError(`invalid port format for --expose: ${text}`);
  }
  return portRange(ports, 'range format for --expose').map((port) => `${port}/${name}`);
}
