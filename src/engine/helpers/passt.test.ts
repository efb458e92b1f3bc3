import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, connect as tcpConnect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { retry } from '../../async/retry.ts';
import { identityFor, isJailUid } from '../../jail/identity.ts';
import { findTool } from '../../jail/tools.ts';
import { findProcesses } from '../processes/processes.ts';
import { endProcesses } from '../processes/sweep.ts';
import { prepareDirectory } from '../runtime-directory.ts';
import { FakeGuestNic } from '../testing/fake-nic.ts';
import type { Nic, PortForward } from '../vm/devices.ts';
import { Helper } from './helper.ts';
import { listensHere } from './listening.ts';
import { checkPort, passtArguments, passtSocket, startPasst } from './passt.ts';

/** The source address of this test's own connections. */
const FENCE = '127.81.1.1';
const never = new AbortController().signal;
const identity = identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []);

let runtimeDir: string;
beforeEach(async () => {
  runtimeDir = await mkdtemp(join(tmpdir(), 'passt-'));
  await prepareDirectory(runtimeDir, identity);
});
afterEach(async () => {
  await endProcesses(runtimeDir);
  await rm(runtimeDir, { recursive: true });
});

function forward(hostPort: number, hostIp = '127.0.0.1'): PortForward {
  return { hostIp, hostPort, boxPort: 80, protocol: 'tcp' };
}

async function listen(server: Server, host: string): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, '127.0.0.1');
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function start(...ports: PortForward[]): Promise<Helper> {
  const nic: Nic = { mac: '02:00:00:00:00:01', ports };
  return startPasst(nic, runtimeDir, identity, never);
}

it('starts passt with IPv4 alone, no access to the loopback, and only the given ports', () => {
  expect(passtArguments('/run/box/passt.sock', [forward(8080), forward(81, '0.0.0.0')])).toEqual([
    '--foreground',
    '--quiet',
    '--one-off',
    '--ipv4-only',
    ...['--socket', '/run/box/passt.sock'],
    ...['--address', '10.0.2.15'],
    ...['--netmask', '24'],
    ...['--gateway', '10.0.2.2'],
    ...['--mtu', '32700'],
    '--no-map-gw',
    ...['--map-guest-addr', '169.254.169.254'],
    ...['--dns-forward', '10.0.2.3'],
    ...['--tcp-ports', '127.0.0.1/8080:80'],
    ...['--tcp-ports', '0.0.0.0/81:80'],
    ...['--udp-ports', 'none'],
  ]);
  expect(passtArguments('/s', []).slice(-4)).toEqual([
    ...['--tcp-ports', 'none', '--udp-ports', 'none'],
  ]);
});

describe('a guest, frame by frame', () => {
  it('does not let a guest reach the host’s loopback through any address', async () => {
    const reached: string[] = [];
    const tcp = createServer((socket) => {
      reached.push(`tcp from ${socket.remoteAddress}:${socket.remotePort}`);
      socket.destroy();
    });
    const port = await listen(tcp, '127.0.0.1');
    const udp = createSocket('udp4', (message) => reached.push(`udp ${message.toString()}`));
    await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
    // The frames are good: what listens at an address outside the loopback is reached by them.
    const outside = createServer((socket) => socket.destroy());
    const outsidePort = await listen(outside, '0.0.0.0');
    let outsideReached = 0;
    outside.on('connection', () => outsideReached++);

    await start();
    const nic = await FakeGuestNic.attach(passtSocket(runtimeDir));
    const own = Object.values(networkInterfaces())
      .flat()
      .flatMap((each) => (each?.family === 'IPv4' && !each.internal ? [each.address] : []));
    const targets = [
      ...['127.0.0.1', '127.0.0.53', '127.255.255.254', '0.0.0.0', '0.0.0.1'],
      ...['10.0.2.1', '10.0.2.2', '10.0.2.3', '10.0.2.15', '10.0.2.255'],
      ...['169.254.169.254', '169.254.1.1', '224.0.0.1', '255.255.255.255'],
      ...own,
    ];
    for (const [index, target] of targets.entries()) {
      nic.sendSyn(target, port, 40_000 + index);
      nic.sendUdp(target, port, 50_000 + index, target);
    }
    for (const [index, target] of own.entries()) nic.sendSyn(target, outsidePort, 60_000 + index);
    // passt handles frames in order: its answer to this one means that it has handled all earlier
    // ones.
    await nic.resolveGateway();
    // Connections by passt are in the server's queue before this one.
    const last = tcpConnect(port, '127.0.0.1');
    await once(last, 'connect');
    const fence = `tcp from 127.0.0.1:${last.localPort}`;
    await expect.poll(() => reached).toContain(fence);
    expect(reached).toEqual([fence]);
    await expect.poll(() => outsideReached).toBe(own.length);

    last.destroy();
    nic.detach();
    udp.close();
    for (const server of [tcp, outside]) await new Promise((resolve) => server.close(resolve));
  });

  it.runIf(process.geteuid?.() === 0)(
    'lets a guest reach a resolver on the host’s loopback only at its DNS ports',
    async () => {
      // An address of this test's own, so that no service of the host is in the way.
      const loopback = '127.81.53.53';
      const reached = new Set<string>();
      let fences = 0;
      const servers: Server[] = [];
      const sockets: Socket[] = [];
      const ports = [53, 853, 22, 52, 54, 80, 443, 5353, 8080, 65_535];
      for (const port of ports) {
        const tcp = createServer((socket) => {
          if (socket.remoteAddress !== FENCE) reached.add(`tcp ${port}`);
          else fences += 1;
          socket.destroy();
        });
        await new Promise<void>((resolve) => tcp.listen(port, loopback, resolve));
        servers.push(tcp);
        const udp = createSocket('udp4', () => reached.add(`udp ${port}`));
        await new Promise<void>((resolve) => udp.bind(port, loopback, resolve));
        sockets.push(udp);
      }
      const socket = passtSocket(runtimeDir);
      await Helper.start('passt', {
        path: await findTool('passt'),
        args: [...passtArguments(socket, []), '--dns-host', loopback],
        identity,
        writable: [runtimeDir],
        readable: [],
        network: true,
        confinesItself: true,
        limits: { openFiles: 65_536 },
      });
      await retry(() => listensHere(socket), AbortSignal.timeout(10_000));
      const nic = await FakeGuestNic.attach(socket);
      // The DNS ports come last: once they are reached, the others would have been reached too.
      for (const [index, port] of [...ports].reverse().entries()) {
        nic.sendSyn('10.0.2.3', port, 40_000 + index);
        nic.sendUdp('10.0.2.3', port, 50_000 + index, 'query');
      }
      await nic.resolveGateway();
      await expect.poll(() => reached.size).toBeGreaterThanOrEqual(4);
      // This connection is in each server's queue behind those of passt.
      for (const port of ports) {
        const last = tcpConnect({ port, host: loopback, localAddress: FENCE });
        await once(last, 'connect');
        last.destroy();
      }
      await expect.poll(() => fences).toBe(ports.length);
      expect([...reached].sort()).toEqual(['tcp 53', 'tcp 853', 'udp 53', 'udp 853']);
      nic.detach();
      for (const udp of sockets) udp.close();
      for (const server of servers) await new Promise((resolve) => server.close(resolve));
    },
  );

  it('forwards a published port to the guest', async () => {
    const port = await freePort();
    await start(forward(port));
    const nic = await FakeGuestNic.attach(passtSocket(runtimeDir));
    await nic.resolveGateway();
    const client = tcpConnect(port, '127.0.0.1');
    expect(await nic.incomingSyn()).toBe('10.0.2.15:80');
    client.destroy();
    nic.detach();
  });

  it('forwards a published UDP port to the guest, beside a TCP port of the same number', async () => {
    const port = await freePort();
    await start(forward(port), { ...forward(port), boxPort: 53, protocol: 'udp' });
    const nic = await FakeGuestNic.attach(passtSocket(runtimeDir));
    await nic.resolveGateway();
    const client = createSocket('udp4');
    const received = nic.incomingUdp();
    client.send('hello', port, '127.0.0.1');
    expect(await received).toBe('10.0.2.15:53 hello');
    client.close();
    nic.detach();
  });
});

it.runIf(process.geteuid?.() === 0)(
  'keeps passt in the group of the jail after it has confined itself',
  async () => {
    await start();
    const found = findProcesses(runtimeDir, isJailUid);
    expect(found.map(({ program, inGroup }) => [program, inGroup])).toContainEqual(['passt', true]);
    expect(found.every(({ inGroup }) => inGroup)).toBe(true);
  },
);

it('ends passt when the VMM disconnects', async () => {
  const helper = await start();
  const nic = await FakeGuestNic.attach(passtSocket(runtimeDir));
  await nic.resolveGateway();
  nic.detach();
  if (!helper.ended.aborted) await once(helper.ended, 'abort');
});

it('tells how to let passt write its socket where AppArmor may deny it', async () => {
  await chmod(runtimeDir, 0o500);
  await expect(start()).rejects.toMatchObject({
    code: 'vmm-failed',
    message: `Cannot start passt: it may not write into ${runtimeDir}`,
    remedy: expect.stringMatching(/^If AppArmor confines passt here, add "owner \/[^"]+ rw,"/),
  });
});

describe('a port', () => {
  it('refuses a port that is already in use before anything starts', async () => {
    const server = createServer();
    const port = await listen(server, '127.0.0.1');
    await expect(checkPort(forward(port))).rejects.toMatchObject({ code: 'port-in-use' });
    // If the port is taken between check and start, passt's own error is translated.
    await expect(start(forward(port))).rejects.toMatchObject({
      code: 'port-in-use',
      message: `Cannot publish port ${port}: the port is already in use`,
    });
    await new Promise((resolve) => server.close(resolve));
  });

  it('refuses a port at an address that the host does not have', async () => {
    await expect(checkPort(forward(8080, '203.0.113.7'))).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  it.each(['::1', '::', '::ffff:127.0.0.1'])(
    'refuses to publish at the IPv6 address %s, and gives a remedy',
    async (address) => {
      await expect(checkPort(forward(8080, address))).rejects.toMatchObject({
        code: 'unsupported-option',
        message: `Cannot publish [${address}]:8080: a box's network is IPv4 alone`,
        remedy: expect.stringContaining('IPv4'),
      });
    },
  );

  it.runIf(identity.uid !== process.geteuid?.())(
    'publishes a port below 1024 for root',
    async () => {
      // An address of this test's own, so that no service of the host is in the way.
      await start(forward(81, '127.81.81.81'));
      const client = tcpConnect(81, '127.81.81.81');
      await once(client, 'connect');
      client.destroy();
    },
  );
});
