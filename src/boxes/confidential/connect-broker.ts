/**
 * Opens connections of this host to secret brokers.
 *
 * The definition of a box names its broker. It must not lead to what this host's link alone has, as
 * the metadata of a cloud, so a name is looked up once and the connection goes to an address that
 * was checked. A broker on this host itself is permitted.
 *
 * @module
 */
import { lookup as systemLookup } from 'node:dns';
import { connect, isIP, type LookupFunction, Socket } from 'node:net';
import type { BrokerEndpoint } from '@a3s-box/policies';
import { addressKind } from '../../registry/hosts/address-kind.ts';

/** Less than the agent waits for the handshake. */
const CONNECT_MS = 10_000;
/** How long a connection may go without a byte: longer than the agent waits for an answer. */
const IDLE_MS = 90_000;

/** A socket that connects. It has an error where the address is refused, or nobody answers. */
export function connectBroker(
  { host, port }: Pick<BrokerEndpoint, 'host' | 'port'>,
  resolve: LookupFunction = systemLookup,
): Socket {
  if (isIP(host) !== 0 && isRefused(host)) return new Socket().destroy(refusal(host));
  const socket = connect({ host, port, lookup: checked(resolve) });
  socket.setTimeout(CONNECT_MS, () => {
    socket.destroy(socket.connecting ? new Error('it does not answer') : undefined);
  });
  socket.once('connect', () => socket.setTimeout(IDLE_MS));
  return socket;
}

/** Leaves out the addresses that are refused. */
function checked(resolve: LookupFunction): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error !== null || typeof found === 'string') return callback(error, found);
      const [first, ...rest] = found.filter(({ address }) => !isRefused(address));
      if (first === undefined) return callback(refusal(found[0]?.address ?? host), []);
      if (options.all === true) callback(null, [first, ...rest]);
      else callback(null, first.address, first.family);
    });
  };
}

function isRefused(address: string): boolean {
  return addressKind(address) === 'link-local';
}

function refusal(address: string): Error {
  return new Error(`${address} is a link-local address`);
}
