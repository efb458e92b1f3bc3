/**
 * Opens connections of this host to secret brokers.
 *
 * The definition of a box names its broker. It must not lead to what this host's link alone has, as
 * the metadata of a cloud, so a name is looked up once and the connection goes to an address that
 * was checked. A broker on this host itself is permitted to boxes, and not to pods: who writes a
 * pod need not be a user of its node, whose services on the loopback trust those.
 *
 * @module
 */
import { lookup as systemLookup } from 'node:dns';
import { connect, isIP, type LookupFunction, Socket } from 'node:net';
import type { BrokerEndpoint } from '@a3s-box/policies';
import { type AddressKind, addressKind } from '../../registry/hosts/address-kind.ts';

/** Less than the agent waits for the handshake. */
const CONNECT_MS = 10_000;
/** How long a connection may go without a byte: longer than the agent waits for an answer. */
const IDLE_MS = 90_000;

/** Kinds of addresses that a broker must not have. */
export type RefusedKinds = readonly Exclude<AddressKind, 'elsewhere'>[];

export const REFUSED_TO_BOXES: RefusedKinds = ['link-local'];
export const REFUSED_TO_PODS: RefusedKinds = ['link-local', 'loopback'];

/** A socket that connects. It has an error where the address is refused, or nobody answers. */
export function connectBroker(
  { host, port }: Pick<BrokerEndpoint, 'host' | 'port'>,
  refused: RefusedKinds,
  resolve: LookupFunction = systemLookup,
): Socket {
  const why = isIP(host) === 0 ? undefined : refusal(host, refused);
  if (why !== undefined) return new Socket().destroy(why);
  const socket = connect({ host, port, lookup: checked(resolve, refused) });
  socket.setTimeout(CONNECT_MS, () => {
    socket.destroy(socket.connecting ? new Error('it does not answer') : undefined);
  });
  socket.once('connect', () => socket.setTimeout(IDLE_MS));
  return socket;
}

/** Leaves out the addresses that are refused. */
function checked(resolve: LookupFunction, refused: RefusedKinds): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error !== null || typeof found === 'string') return callback(error, found);
      const refusals = found.flatMap(({ address }) => refusal(address, refused) ?? []);
      const [first, ...rest] = found.filter(({ address }) => !refusal(address, refused));
      if (first === undefined) return callback(refusals[0] ?? notFound(host), []);
      if (options.all === true) callback(null, [first, ...rest]);
      else callback(null, first.address, first.family);
    });
  };
}

function refusal(address: string, refused: RefusedKinds): Error | undefined {
  const kind = refused.find((each) => each === addressKind(address));
  return kind && new Error(`${address} is a ${kind} address`);
}

function notFound(host: string): Error {
  return new Error(`${host} has no address`);
}
