import { createHash } from 'node:crypto';
import { type AddressInfo, connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { alikeFor } from './alike.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { scaled } from './time-scale.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ACTORS)('the network of a box of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  it('publishes a port at the requested addresses and at no other, and sends what was written', async () => {
    const port = await freePort();
    await actor.ok([
      ...['run', '-d', '--name', 'web', '-p', `127.0.0.1:${port}:8080`],
      ...['-p', `[::1]:${port}:8080`, BUSYBOX],
      ...['sh', '-c', 'echo hello > /tmp/greeting; exec httpd -f -p 8080 -h /tmp'],
    ]);
    await until('the port answers', async () =>
      (await get('127.0.0.1', port).catch(() => '')).endsWith('\r\n\r\nhello\n'),
    );
    // By IPv4, as the box has no IPv6.
    expect(await get('::1', port)).toContain('\r\n\r\nhello\n');
    for (const address of otherAddresses()) {
      await expect(get(address, port)).rejects.toThrow(/ECONNREFUSED/);
    }
    const shown = `127.0.0.1:${port}->8080/tcp, [::1]:${port}->8080/tcp`;
    expect(await actor.ok(['ps', '--format', '{{.Ports}}'])).toBe(shown);
    // Faster than the client reads: a stream that is full takes no frame in parts.
    const make = 'dd if=/dev/urandom of=/tmp/big bs=1M count=24 2>/dev/null; sha256sum < /tmp/big';
    const digest = (await actor.ok(['exec', 'web', 'sh', '-c', make])).slice(0, 64);
    for (let round = 0; round < 3; round += 1) {
      const answer = await fetch(`http://127.0.0.1:${port}/big`);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(digest);
    }
    await actor.ok(['rm', '-f', 'web']);
    for (const address of ['127.0.0.1', '::1']) {
      await expect(get(address, port)).rejects.toThrow(/ECONNREFUSED/);
    }
  });

  it("never reaches the host's loopback or link-local metadata from a box", async () => {
    const secret = createServer((socket) => socket.end('secret\n'));
    await new Promise<void>((resolve) => secret.listen(0, '127.0.0.1', resolve));
    const { port } = secret.address() as AddressInfo;
    const addresses = [
      '127.0.0.1',
      '10.0.2.2',
      '10.0.2.3',
      '10.0.2.15',
      '169.254.169.254',
      '0.0.0.0',
      ...otherAddresses(),
    ];
    const script = addresses
      .map((address) => `echo "${address}: $(echo | nc -w 2 ${address} ${port} 2>/dev/null)"`)
      .join('\n');
    const result = await actor.run(['run', '--rm', BUSYBOX, 'sh', '-c', script]);
    secret.close();
    expect(result.stdout).toBe(addresses.map((address) => `${address}: \n`).join(''));
  });

  alikeFor(name)('is loopback alone with --network none', async () => {
    const result = await actor.run([
      'run',
      '--rm',
      '--network',
      'none',
      BUSYBOX,
      'sh',
      '-c',
      'ls /sys/class/net',
    ]);
    expect(result.stdout).toBe('lo\n');
  });

  alikeFor(name)('is refused when the port is taken, before anything is made', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const result = await actor.run(['run', '--rm', '-p', `127.0.0.1:${port}:80`, BUSYBOX, 'true']);
    taken.close();
    expect(result.code).toBe(125);
    expect(result.stderr).toContain('port-in-use');
    expect(actor.boxProcesses()).toEqual([]);
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
  });
});

/** The host's addresses other than loopback. */
function otherAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter((entry) => entry.family === 'IPv4' && !entry.internal)
    .map((entry) => entry.address);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function get(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    let text = '';
    socket.setTimeout(scaled(5_000), () => socket.destroy(new Error('no answer')));
    socket.write('GET /greeting HTTP/1.0\r\n\r\n');
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}
