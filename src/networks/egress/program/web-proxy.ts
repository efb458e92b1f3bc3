/**
 * Carries connections to the ports of HTTP and HTTPS whose addresses a rule for a name has opened.
 * The name that the client states has to be allowed by itself, and the connection goes to an
 * address of that name: a shared address opens no other name.
 *
 * @module
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Address, AnySubnet } from '../../address.ts';
import { decideConnection, mayResolveTo, type Policy } from '../decide.ts';
import { type Peeked, peekClientHello } from './client-hello.ts';
import type { Pins } from './pins.ts';
import type { Refuse } from './refusals.ts';
import { peekRequestHead } from './request-head.ts';
import type { SecretProxy } from './secret-proxy.ts';

export interface WebProxyOptions {
  readonly policies: readonly Policy[];
  /** The host's own networks. */
  readonly own: readonly AnySubnet[];
  readonly pins: Pick<Pins, 'addressesOf' | 'isOpen'>;
  readonly refuse: Refuse;
  readonly connect: (address: Address) => Socket;
  /** Takes over connections to the hosts that get egress secrets. */
  readonly secrets?: Pick<SecretProxy, 'serves' | 'serve'> | undefined;
  /** Resolves a permitted name again. */
  readonly renew?: (name: string) => Promise<void>;
  /** For the client's first message. */
  readonly peekMs?: number;
  /** For the connection to the server. */
  readonly connectMs?: number;
}

/** The port that the box has sent to. */
export interface WebPort {
  readonly port: number;
  readonly speaks: 'tls' | 'http';
}

const MAX_CONNECTIONS = 1024;
const PEEK_MS = 10_000;
const CONNECT_MS = 10_000;
const MAX_TRIED = 3;
/** After so long without a byte, the other side is asked whether it is there. */
const KEEP_ALIVE_MS = 60_000;

/** @returns a server that does not listen yet */
export function webProxy(options: WebProxyOptions, at: WebPort): Server {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    // The other side's end is seen where bytes are carried.
    client.on('error', () => client.destroy());
    void serve(client, options, at).catch(() => client.destroy());
  });
  // Where the host has no descriptor left, one connection fails, and the next one may not.
  server.on('error', () => undefined);
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

async function serve(client: Socket, options: WebProxyOptions, at: WebPort): Promise<void> {
  const found = await peek(client, at.speaks, options.peekMs ?? PEEK_MS);
  if (found === undefined) return;
  if ('why' in found) {
    options.refuse({
      target: `tcp port ${at.port}`,
      policy: 0,
      why: `the name of the server is not known: ${found.why}`,
    });
    client.resetAndDestroy();
    return;
  }
  const addresses = permitted(found.name, at.port, options);
  const { name } = found;
  if (at.speaks === 'tls' && addresses.length > 0 && options.secrets?.serves(name) === true) {
    client.unshift(found.first);
    options.secrets.serve(client, { name, open: () => reopen(name, at.port, options) });
    return;
  }
  const server = await reach(addresses, options);
  if (server === undefined || client.destroyed) {
    client.resetAndDestroy();
    server?.destroy();
    return;
  }
  server.write(found.first);
  join(client, server);
}

/** Connects to a name whose addresses may have been closed since the client was let through. */
async function reopen(
  name: string,
  port: number,
  options: WebProxyOptions,
): Promise<Socket | undefined> {
  const { pins, renew } = options;
  if (!pins.addressesOf(name).some((address) => pins.isOpen(address))) await renew?.(name);
  return await reach(permitted(name, port, options), options);
}

/** The addresses of the name that all policies allow and the packet filter opens, in any order. */
function permitted(
  name: string,
  port: number,
  { policies, own, pins, refuse }: WebProxyOptions,
): Address[] {
  const target = `${name}:${port}/tcp`;
  const addresses = pins.addressesOf(name).filter((address) =>
    policies.every((policy, at) => {
      const destination = { name, address, protocol: 'tcp', port } as const;
      const { allowed, by } = decideConnection(policy, destination, own);
      if (!allowed) refuse({ target, policy: at, by });
      else if (!mayResolveTo([policy], address, own, destination)) {
        const why = 'its address is not public, and no rule allows that address on this port';
        refuse({ target, policy: at, why });
        return false;
      }
      return allowed;
    }),
  );
  const open = addresses.filter((address) => pins.isOpen(address));
  if (addresses.length > 0 && open.length === 0) {
    // By the default: the address that the box has sent to is that of another name.
    refuse({ target, policy: 0, why: 'no rule for a name has opened an address of this name' });
  }
  if (addresses.length === 0 && pins.addressesOf(name).length === 0) {
    refuse({ target, policy: 0, why: 'the box has not resolved this name, or may not' });
  }
  return open.sort(() => Math.random() - 0.5).slice(0, MAX_TRIED);
}

interface Found {
  readonly name: string;
  /** What the server gets first. */
  readonly first: Buffer;
}

/** Reads until the name is known. @returns undefined where the client is gone */
async function peek(
  client: Socket,
  speaks: WebPort['speaks'],
  deadline: number,
): Promise<Found | { why: string } | undefined> {
  const timer = setTimeout(() => client.resetAndDestroy(), deadline);
  let bytes: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of client.iterator({ destroyOnReturn: false })) {
      bytes = Buffer.concat([bytes, chunk as Buffer]);
      const found = peekAt(bytes, speaks);
      if (found !== undefined) {
        client.pause();
        return found;
      }
    }
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
  client.destroy();
  return undefined;
}

function peekAt(bytes: Buffer, speaks: WebPort['speaks']): Found | { why: string } | undefined {
  if (speaks === 'http') {
    const head = peekRequestHead(bytes);
    if (head.state === 'more') return undefined;
    if (head.state === 'refused') return { why: head.why };
    return { name: head.name, first: Buffer.concat([head.head, bytes.subarray(head.length)]) };
  }
  const hello: Peeked = peekClientHello(bytes);
  if (hello.state === 'more') return undefined;
  return hello.state === 'refused' ? { why: hello.why } : { name: hello.name, first: bytes };
}

async function reach(
  addresses: readonly Address[],
  { connect: open, connectMs = CONNECT_MS }: WebProxyOptions,
): Promise<Socket | undefined> {
  for (const address of addresses) {
    const socket = open(address);
    const connected = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), connectMs);
      socket.on('connect', () => {
        clearTimeout(timer);
        resolve(true);
      });
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        clearTimeout(timer);
        resolve(false);
      });
    });
    if (connected) return socket;
  }
  return undefined;
}

/** Carries both directions until both have ended, or one breaks. */
function join(client: Socket, server: Socket): void {
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    // Without a failure it has ended both ways, and what it sent may still be on its way.
    one.on('close', (failed) => {
      if (failed) other.resetAndDestroy();
    });
    one.setKeepAlive(true, KEEP_ALIVE_MS);
  }
  client.pipe(server);
  server.pipe(client);
}

/** Connects to an address from this program. */
export function connectTo(port: number): (host: string) => Socket {
  return (host) => connect({ host, port, allowHalfOpen: true });
}
