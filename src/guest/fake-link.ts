/**
 * A byte stream between a fake agent and its host.
 *
 * @module
 */
import { type Duplex, duplexPair } from 'node:stream';

/** Two ends; as with a socket, the end of one is the end of the other. */
export function fakeLink(): [host: Duplex, guest: Duplex] {
  const [host, guest] = duplexPair();
  host.on('close', () => guest.destroy());
  guest.on('close', () => host.destroy());
  return [host, guest];
}
