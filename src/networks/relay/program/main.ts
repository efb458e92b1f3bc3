/**
 * Leads ports at IPv6 addresses of the host to its IPv4 loopback, as its arguments say. It reads
 * nothing of what it carries.
 *
 * @module
 */
import { type Opened, parseRelayArgument, type RelayedPort } from '../relayed-port.ts';
import { Room } from './room.ts';
import { relayTcp } from './tcp.ts';
import { relayUdp } from './udp.ts';

/** Each takes two descriptors. */
const MAX_CONNECTIONS = 2048;
/** Docker's. */
const UDP_IDLE_MS = 90_000;
const MAX_FLOWS = 2048;

function say(words: Opened): void {
  process.stdout.write(`${JSON.stringify(words)}\n`);
}

async function main(texts: readonly string[]): Promise<void> {
  const ports = texts.map(parseRelayArgument);
  const room = new Room(MAX_CONNECTIONS);
  const udp = ports.filter(({ protocol }) => protocol === 'udp').length;
  const limits = { flows: Math.max(1, Math.floor(MAX_FLOWS / udp)), idleMs: UDP_IDLE_MS };
  const open = (port: RelayedPort): Promise<void> =>
    port.protocol === 'tcp' ? relayTcp(port, room) : relayUdp(port, limits);
  for (const port of ports) {
    try {
      await open(port);
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      say({ open: false, code, port });
      process.exitCode = 1;
      // Those that are open keep the process.
      process.stdout.end(() => process.exit());
      return;
    }
  }
  say({ open: true });
}

// After its name and its box's.
void main(process.argv.slice(4));
