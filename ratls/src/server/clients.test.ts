import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connect, type RatlsServer } from '../index.ts';
import { guestSource, trusting } from '../testing/simulated-source.ts';
import type { ClientLimits } from './clients.ts';
import { serve } from './serve.ts';

let server: RatlsServer | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
});

const UNLIMITED = { burst: 1000, perSecond: 1000 };

async function serving(client: ClientLimits, connections = 16): Promise<number> {
  const evidence = guestSource({ workload: true });
  const app = { fetch: () => new Response('served') };
  const limits = { client, connections, attestations: UNLIMITED, allAttestations: UNLIMITED };
  server = await serve(app, { evidence, host: '127.0.0.1', port: 0, limits });
  return server.port;
}

/** A connection that says nothing. */
async function silent(port: number, localAddress: string): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port, localAddress });
  sockets.push(socket);
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

const asWorkload = (port: number) => connect(trusting(port, { peer: 'workload' }));

/** From another address than 127.0.0.1. */
async function asOtherClient(port: number) {
  const socket = await silent(port, '127.0.0.9');
  socket.pause();
  const { host: _, port: __, ...trust } = trusting(port, { peer: 'workload' });
  return connect({ ...trust, socket });
}

describe('the limits of one client', () => {
  it('ends connections beyond those of one client, and serves another client', async () => {
    const port = await serving({ connections: 2, attestations: UNLIMITED });
    await silent(port, '127.0.0.2');
    const second = await silent(port, '127.0.0.2');
    await once(await silent(port, '127.0.0.2'), 'close');
    using other = await asWorkload(port);
    expect(await (await other.fetch('/')).text()).toBe('served');
    // A connection that has ended makes room for another one.
    second.destroy();
    const again = async () => {
      const socket = await silent(port, '127.0.0.2');
      const ended = once(socket, 'close').then(() => 'ended');
      return Promise.race([ended, asWorkload(port).then((session) => session.close())]);
    };
    await expect.poll(again).toBeUndefined();
  });

  it('gives the place of the oldest connection without a request to one that is new', async () => {
    const port = await serving({ connections: 8, attestations: UNLIMITED }, 3);
    using used = await asWorkload(port);
    const oldest = await silent(port, '127.0.0.2');
    const newer = await silent(port, '127.0.0.3');
    using added = await asWorkload(port);
    if (!oldest.closed) await once(oldest, 'close');
    expect([newer.closed, used.ended, added.ended]).toEqual([false, false, false]);
    using last = await asWorkload(port);
    if (!newer.closed) await once(newer, 'close');
    // Each of the three has asked for something: there is no place for a fourth.
    await once(await silent(port, '127.0.0.4'), 'close');
    expect([used.ended, added.ended, last.ended]).toEqual([false, false, false]);
  });

  it('counts the challenges of one client over all its connections, also those that ended', async () => {
    const attestations = { burst: 2, perSecond: 1e-9 };
    const port = await serving({ connections: 8, attestations });
    for (let round = 0; round < 2; round += 1) (await asWorkload(port)).close();
    await expect(asWorkload(port)).rejects.toMatchObject({
      code: 'attest-answer',
      found: 'rate-limited',
    });
    using other = await asOtherClient(port);
    expect(other.ended).toBe(false);
  });
});
