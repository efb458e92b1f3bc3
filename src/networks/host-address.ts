/**
 * The address of the host that its packets to others have.
 *
 * @module
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** Of RFC 5737, so that no host has a route of its own to it. A datagram is never sent. */
const SOMEWHERE = '192.0.2.1';

/** @returns undefined where the host has no default route */
export async function hostAddress(): Promise<string | undefined> {
  const socket = createSocket('udp4');
  try {
    socket.connect(9, SOMEWHERE);
    await once(socket, 'connect');
    return socket.address().address;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}
