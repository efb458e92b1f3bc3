/** What boxes from pools send and receive in the default network. */
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { alikeFor } from './alike.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { scaled } from './time-scale.ts';

vi.setConfig({ testTimeout: scaled(280_000) });

const WAIT = { deadlineMs: 240_000 };
/** Chosen, for a card that a microVM gets when a box takes it. */
const MAC = '02:42:ac:11:00:07';
const MIB = 2 ** 20;
const BYTES = 128 * MIB;
/** Of some 15,000. A hub of QEMU between card and passt has hundreds of them sent again. */
const FEW_SEGMENTS = 64;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ACTORS)('the default network of a box of %s from a pool', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  }, scaled(240_000));
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  const fill = async () => await actor.ok(['pool', 'set', '--size', '1', '--wait'], WAIT);
  const startOf = async (box: string) =>
    await actor.ok(['inspect', '-f', '{{.Machine.Start}}', box]);
  const inside = async (box: string, script: string) =>
    await actor.ok(['exec', box, 'sh', '-c', script], WAIT);

  it('publishes TCP and UDP ports, of a range and random ones, until the box stops', async () => {
    await fill();
    const first = await freePort();
    const range = `127.0.0.1:${first}-${first + 40}`;
    const ports = ['-p', `${range}:80`, '-p', `${range}:5300/udp`, '-p', '127.0.0.1::80', '-P'];
    const serve = 'echo published >/tmp/said; socket-probe udp 5300 & exec httpd -f -p 80 -h /tmp';
    const options = [...ports, '--expose', '81', '--mac-address', MAC];
    await actor.ok(['run', '-d', '--name', 'web', ...options, BUSYBOX, 'sh', '-c', serve], WAIT);
    expect(await startOf('web')).toBe('pool');
    expect(await inside('web', 'cat /sys/class/net/eth0/address')).toBe(MAC);
    const shown = async () => {
      const text = await actor.ok(['port', 'web'], WAIT);
      const found = (port: string) =>
        [...text.matchAll(/^(\S+) -> ([\d.]+):(\d+)$/gm)]
          .filter(([, from]) => from === port)
          .map(([, , , to]) => Number(to));
      return { tcp: found('80/tcp'), udp: found('5300/udp'), exposed: found('81/tcp') };
    };
    const { tcp, udp, exposed } = await shown();
    expect([tcp.length, udp.length, exposed.length]).toEqual([2, 1, 1]);
    expect(tcp[0]).toBeGreaterThanOrEqual(first);
    const all = async () => await Promise.all(tcp.map((port) => get(port).catch(() => '')));
    await until('the ports answer', async () =>
      (await all()).every((text) => text === 'published\n'),
    );
    await expect.poll(() => ask(udp[0] ?? 0)).toBe('udp hello');
    await actor.killServer();
    expect(await all()).toEqual(['published\n', 'published\n']);
    expect(await shown()).toEqual({ tcp, udp, exposed });
    // A second box cannot have the port. The first keeps it when it is restarted.
    const fixed = `127.0.0.1:${tcp[0]}:80`;
    const second = await actor.run(['run', '-d', '--name', 'other', '-p', fixed, BUSYBOX, 'true']);
    expect(second.stderr).toContain('port is already allocated');
    await actor.ok(['stop', '-t', '0', 'web']);
    await expect(get(tcp[0] ?? 0)).rejects.toThrow('ECONNREFUSED');
    await actor.ok(['rm', '-f', 'web', 'other']);
  });

  it('keeps the ports of a box from the pool when the box is restarted', async () => {
    await fill();
    const port = await freePort();
    const serve = 'echo published >/tmp/said; exec httpd -f -p 80 -h /tmp';
    const ports = ['-p', `127.0.0.1:${port}:80`, '-p', `[::1]:${port}:80`];
    const asked = [...ports, BUSYBOX, 'sh', '-c', serve];
    await actor.ok(['run', '-d', '--name', 'web', ...asked], WAIT);
    expect(await startOf('web')).toBe('pool');
    const page = async (host?: string) => await get(port, '/said', host).catch(() => '');
    const answers = async () => `${await page()}${await page('::1')}` === 'published\npublished\n';
    await until('the ports answer', answers);
    await actor.ok(['restart', '-t', '0', 'web'], WAIT);
    const shown = `80/tcp -> 127.0.0.1:${port}\n80/tcp -> [::1]:${port}`;
    expect(await actor.ok(['port', 'web'], WAIT)).toBe(shown);
    await until('the ports answer again', answers);
    await actor.ok(['rm', '-f', 'web']);
  });

  it('ends a box from the pool as any other when its translator was killed', async () => {
    await fill();
    const port = await freePort();
    const asked = ['-p', `127.0.0.1:${port}:80`, BUSYBOX, 'httpd', '-f', '-p', '80', '-h', '/etc'];
    await actor.ok(['run', '-d', '--name', 'web', ...asked], WAIT);
    expect(await startOf('web')).toBe('pool');
    await until(
      'the port answers',
      async () => (await get(port, '/passwd').catch(() => '')) !== '',
    );
    const translators = () =>
      actor.boxProcesses().filter(({ commandLine }) => /^\S*passt(\.avx2)? /.test(commandLine));
    expect(translators()).toHaveLength(1);
    for (const { pid } of translators()) process.kill(pid, 'SIGKILL');
    await until('the port is closed', async () =>
      get(port).then(
        () => false,
        () => true,
      ),
    );
    expect(await inside('web', 'echo runs')).toBe('runs');
    await actor.ok(['restart', '-t', '0', 'web'], WAIT);
    await until(
      'the port answers',
      async () => (await get(port, '/passwd').catch(() => '')) !== '',
    );
    await actor.ok(['rm', '-f', 'web']);
    expect(translators()).toEqual([]);
  });

  alikeFor(name)('sends and receives 128 MiB in order, as a box from a template does', async () => {
    const content = randomBytes(BYTES);
    const digest = digestOf(content);
    const address = ownAddress();
    const resent: Record<string, number> = {};
    for (const source of ['pool', 'template'] as const) {
      if (source === 'pool') await fill();
      else await actor.ok(['pool', 'rm', 'default']);
      const [web, into] = [await freePort(), await freePort()];
      const ports = ['-p', `127.0.0.1:${web}:80`, '-p', `127.0.0.1:${into}:9000`];
      // It keeps its side open: passt cuts what comes for a side that is closed.
      const store = 'mkfifo /tmp/open; sleep 1000 >/tmp/open & nc -l -p 9000 </tmp/open';
      const serve = `mkdir /data; ${store} >/data/content; exec httpd -f -p 80 -h /data`;
      await actor.ok(['run', '-d', '--name', 'box', ...ports, BUSYBOX, 'sh', '-c', serve], WAIT);
      expect(await startOf('box')).toBe(source);
      // Into the box, by a published port.
      await until('the box listens', async () =>
        (await inside('box', 'netstat -ltn')).includes(':9000 '),
      );
      await upload(into, content);
      await until(
        'the box has it all',
        async () => (await inside('box', 'stat -c %s /data/content')) === String(BYTES),
      );
      expect((await inside('box', 'sha256sum </data/content')).slice(0, 64)).toBe(digest);
      // Out of the box, by the other port, twice: passt's socket is full meanwhile.
      await until('the box serves', async () => (await get(web, '/none').catch(() => '')) !== '');
      for (const _ of ['first', 'again']) expect(await download(web, '/content')).toBe(digest);
      // Out of the box, by a connection of its own.
      const receiver = await receive(address);
      await inside('box', `nc -w 60 ${address} ${receiver.port} </data/content`);
      expect(await receiver.digest).toBe(digest);
      resent[source] = await resentSegments(async (path) => await inside('box', `cat ${path}`));
      // Many small connections, some at once.
      await inside('box', 'echo small >/data/small');
      for (let round = 0; round < 10; round += 1) {
        const answers = await Promise.all(Array.from({ length: 10 }, () => get(web, '/small')));
        expect(new Set(answers)).toEqual(new Set(['small\n']));
      }
      await actor.ok(['rm', '-f', 'box']);
    }
    expect(resent['pool']).toBeLessThanOrEqual((resent['template'] ?? 0) + FEW_SEGMENTS);
  });
});

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** An address of the host that boxes reach. */
function ownAddress(): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === 'IPv4' && !each.internal);
  if (found === undefined) throw new Error('this host has no address');
  return found.address;
}

function upload(port: number, content: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', reject).on('close', () => resolve());
    socket.resume().end(content);
  });
}

/** Takes one connection, and digests what comes until its end. */
async function receive(
  address: string,
): Promise<{ readonly port: number; readonly digest: Promise<string> }> {
  const server = createServer();
  const digest = new Promise<string>((resolve, reject) => {
    server.once('connection', (socket) => {
      const hash = createHash('sha256');
      socket.on('data', (chunk) => hash.update(chunk));
      socket.on('error', reject);
      socket.on('end', () => {
        socket.end();
        server.close();
        resolve(hash.digest('hex'));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return { port: (server.address() as AddressInfo).port, digest };
}

/**
 * How many TCP segments its network namespace has sent again although no timer ran out: frames were
 * lost or came in another order. A busy host lets timers run out.
 */
async function resentSegments(read: (path: string) => Promise<string>): Promise<number> {
  const all = counterOf(await read('/proc/net/snmp'), 'Tcp:', 'RetransSegs');
  const extended = await read('/proc/net/netstat');
  const late = ['TCPTimeouts', 'TCPSlowStartRetrans', 'TCPLossProbes'].map((name) =>
    counterOf(extended, 'TcpExt:', name),
  );
  return all - late.reduce((sum, count) => sum + count, 0);
}

function counterOf(text: string, group: string, name: string): number {
  const [names = '', values = ''] = text.split('\n').filter((line) => line.startsWith(group));
  const at = names.split(' ').indexOf(name);
  const found = Number(values.split(' ')[at]);
  if (at < 0 || Number.isNaN(found)) throw new Error(`the kernel has no counter ${name}`);
  return found;
}

function download(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
      const hash = createHash('sha256');
      answer.on('data', (chunk) => hash.update(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve(hash.digest('hex')));
    });
    asked.on('error', reject).end();
  });
}

async function get(port: number, path = '/said', host = '127.0.0.1'): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    const asked = request({ host, port, path, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('error', reject).on('end', () => resolve(text));
    });
    asked.setTimeout(scaled(20_000), () => asked.destroy(new Error('no answer')));
    asked.on('error', reject).end();
  });
}

/** Sends a datagram to the host's loopback. */
function ask(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => socket.close(() => resolve('')), scaled(2_000));
    socket.on('message', (message) => {
      clearTimeout(timer);
      socket.close(() => resolve(message.toString()));
    });
    socket.send('hello', port, '127.0.0.1');
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
