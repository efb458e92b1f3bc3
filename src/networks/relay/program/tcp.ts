/**
 * Leads connections to a port of the loopback.
 *
 * @module
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { RelayedPort } from '../relayed-port.ts';
import type { Room } from './room.ts';

const LOOPBACK = '127.0.0.1';
const KEEP_ALIVE_MS = 60_000;

/** Resolves once the port is open. */
export async function relayTcp(
  { hostIp, hostPort, to }: Pick<RelayedPort, 'hostIp' | 'hostPort' | 'to'>,
  room: Room,
): Promise<void> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const ends = [client];
    const leave = room.enter(client.remoteAddress, () => {
      for (const end of ends) end.resetAndDestroy();
    });
    if (leave === undefined) {
      client.resetAndDestroy();
      return;
    }
    client.once('close', leave);
    const box = connect({ host: LOOPBACK, port: to, allowHalfOpen: true });
    ends.push(box);
    join(client, box);
  });
  // IPv4 of the same port is another program's.
  server.listen({ host: hostIp, port: hostPort, ipv6Only: true });
  await once(server, 'listening');
  // Where the host has no descriptor left, one connection fails, and the next one may not.
  server.on('error', () => undefined);
}

/** Each side ends when the other one has, and is reset when the other one was. */
function join(client: Socket, box: Socket): void {
  for (const [one, other] of [
    [client, box],
    [box, client],
  ] as const) {
    one.setNoDelay(true);
    one.setKeepAlive(true, KEEP_ALIVE_MS);
    one.on('error', () => other.resetAndDestroy());
  }
  box.once('connect', () => {
    client.pipe(box);
    box.pipe(client);
  });
}
