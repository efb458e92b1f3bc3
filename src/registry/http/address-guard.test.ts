import { createServer, type LookupFunction, Socket } from 'node:net';
import { type buildConnector, buildConnector as connectorOf } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AddressGuard, type AddressRule, LocalAddress, RefusedAddress } from './address-guard.ts';

const REGISTRY = 'http://registry.test';
const server = createServer((socket) => socket.destroy());
let port = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' ? String(address?.port) : '';
});
afterAll(() => server.close());

const build = (lookup: LookupFunction) => connectorOf({ lookup });

/** A resolver that returns the given addresses for every name. */
const to =
  (...addresses: string[]): LookupFunction =>
  (_, __, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

/** Resolves the name, and returns an unconnected socket whose peer has the address `remote`. */
const seemingly =
  (remote: string | undefined) =>
  (lookup: LookupFunction): buildConnector.connector =>
  ({ hostname }, callback) => {
    lookup(hostname, { all: true }, (error) => {
      if (error !== null) return callback(error, null);
      const socket = new Socket();
      Object.defineProperty(socket, 'remoteAddress', { value: remote });
      callback(null, socket);
    });
  };

function connect(
  connector: buildConnector.connector,
  hostname = 'registry.test',
): Promise<unknown> {
  return new Promise((resolve) => {
    connector({ hostname, protocol: 'http:', port }, (error, socket) => {
      socket?.destroy();
      resolve(error ?? 'connected');
    });
  });
}

describe('AddressGuard', () => {
  it('learns where a registry is from its connections', async () => {
    const guard = new AddressGuard(to('127.0.0.1'));
    expect(guard.placeOf(REGISTRY)).toBe('elsewhere');
    expect(await connect(guard.own(REGISTRY, build))).toBe('connected');
    expect(guard.placeOf(REGISTRY)).toBe('loopback');
    expect(await connect(guard.own(REGISTRY, seemingly('192.0.2.1')))).toBe('connected');
    expect(guard.placeOf(REGISTRY)).toBe('elsewhere');
    expect(guard.placeOf('http://another.test')).toBe('elsewhere');
  });

  it('learns nothing from a connection that its peer has already reset', async () => {
    const guard = new AddressGuard(to('127.0.0.1'));
    const reset = seemingly(undefined);
    expect(await connect(guard.own(REGISTRY, reset))).toBe('connected');
    expect(await connect(guard.own(REGISTRY, build))).toBe('connected');
    expect(await connect(guard.own(REGISTRY, reset))).toBe('connected');
    expect(guard.placeOf(REGISTRY)).toBe('loopback');
    // An address in the URL shows by itself where the registry is.
    expect(await connect(guard.own('http://[::1]', reset), '[::1]')).toBe('connected');
    expect(guard.placeOf('http://[::1]')).toBe('loopback');
  });

  it('does not follow the name of a registry from another host to this one', async () => {
    const guard = new AddressGuard(to('127.0.0.1'));
    const remote = new AddressGuard(to('192.0.2.1'));
    expect(await connect(remote.own(REGISTRY, seemingly('192.0.2.1')))).toBe('connected');
    expect(await connect(remote.own(REGISTRY, build), '127.0.0.1')).toBeInstanceOf(LocalAddress);
    expect(await connect(guard.own(REGISTRY, seemingly('192.0.2.1')))).toBe('connected');
    expect(await connect(guard.own(REGISTRY, build))).toMatchObject({ address: '127.0.0.1' });
  });

  it('connects only to the addresses that the guard allows', async () => {
    const guard = new AddressGuard(to('127.0.0.1', '192.0.2.1', '::1'));
    const taken: unknown[] = [];
    const record =
      (lookup: LookupFunction): buildConnector.connector =>
      ({ hostname }, callback) => {
        lookup(hostname, { all: true }, (error, found) => {
          taken.push(found);
          callback(error ?? new Error('recorded'), null);
        });
      };
    await connect(guard.foreign('elsewhere', record));
    await connect(guard.foreign('link-local', record));
    await connect(guard.foreign('loopback', record));
    const remote = { address: '192.0.2.1', family: 4 };
    expect(taken).toEqual([
      [remote],
      [remote],
      [{ address: '127.0.0.1', family: 4 }, remote, { address: '::1', family: 6 }],
    ]);
  });

  it('connects to no address that the rule of a request refuses, by name or by itself', async () => {
    const guard = new AddressGuard(to('10.0.0.1', '127.0.0.1', '192.0.2.1'));
    const rule: AddressRule = {
      id: 'public',
      refusal: (address) => (address === '192.0.2.1' ? undefined : `${address} is private`),
    };
    const taken: unknown[] = [];
    const record =
      (lookup: LookupFunction): buildConnector.connector =>
      ({ hostname }, callback) => {
        lookup(hostname, { all: true }, (error, found) => {
          taken.push(found);
          callback(error ?? new Error('recorded'), null);
        });
      };
    await connect(guard.foreign('loopback', record, rule));
    expect(taken).toEqual([[{ address: '192.0.2.1', family: 4 }]]);
    const inner = new AddressGuard(to('10.0.0.1'));
    const refused = new RefusedAddress('10.0.0.1 is private');
    expect(await connect(inner.foreign('elsewhere', build, rule))).toEqual(refused);
    expect(await connect(guard.foreign('elsewhere', build, rule), '10.0.0.1')).toEqual(refused);
    // An address of this host is refused as such.
    expect(await connect(guard.foreign('elsewhere', build, rule), '127.0.0.1')).toBeInstanceOf(
      LocalAddress,
    );
  });

  it('returns one address to a caller that requests one', async () => {
    const guard = new AddressGuard(to('127.0.0.1', '192.0.2.1'));
    const found = await new Promise((resolve) => {
      guard.foreign('elsewhere', (lookup) => {
        lookup('registry.test', {}, (_, address, family) => resolve([address, family]));
        return () => undefined;
      });
    });
    expect(found).toEqual(['192.0.2.1', 4]);
  });

  it('remembers a bounded number of registries', async () => {
    const guard = new AddressGuard(to('127.0.0.1'));
    for (let count = 0; count < 1025; count += 1) {
      await connect(guard.own(`http://r${count}.test`, seemingly('127.0.0.1')));
    }
    expect(guard.placeOf('http://r0.test')).toBe('elsewhere');
    expect(guard.placeOf('http://r1.test')).toBe('loopback');
  });
});
