import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { scaled } from './time-scale.ts';

/**
 * An address of the host that only its loopback device has, for the time of these tests: the world
 * outside.
 */
const OUTSIDE = '198.51.100.77';

describe.runIf(process.geteuid?.() === 0)('user-defined networks of root', () => {
  let installation: Installation;
  let actor: Actor;
  let outside: Server;
  let port: number;

  beforeAll(async () => {
    execFileSync('ip', ['addr', 'add', `${OUTSIDE}/32`, 'dev', 'lo']);
    outside = createServer((socket) => socket.on('error', () => undefined).end('outside\n'));
    await new Promise<void>((resolve) => outside.listen(0, OUTSIDE, resolve));
    installation = await install();
    actor = new Actor('root', installation);
    await actor.prepare();
    port = await freePort();
    const images =
      'images: [{ pattern: "**", allowUnsigned: true, allowUnsignedConfidential: true }]';
    writeFileSync(join(actor.home, 'image-policy.yaml'), images, { mode: 0o644 });
    await actor.ok(['network', 'create', 'front']);
    await actor.ok(['network', 'create', '--ipv6', 'back']);
    await actor.ok(['network', 'create', '--internal', '--subnet', '10.123.4.0/24', 'inside']);
    await start(
      'web',
      '--network',
      'front',
      '--network-alias',
      'www',
      '-p',
      `127.0.0.1:${port}:80`,
      ...['-p', `[::1]:${port}:80`],
    );
    await start('client', '--network', 'front', '--cap-add', 'NET_ADMIN');
    await start('stranger', '--network', 'back');
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
    await installation.remove();
    await new Promise((resolve) => outside.close(resolve));
    execFileSync('ip', ['addr', 'del', `${OUTSIDE}/32`, 'dev', 'lo']);
  });

  /** A box that serves a page with its own name. */
  async function start(name: string, ...options: string[]): Promise<void> {
    const serve = `mkdir -p /www && echo ${name} > /www/index.html && exec httpd -f -p 80 -h /www`;
    await actor.ok(['run', '-d', '--name', name, ...options, BUSYBOX, 'sh', '-c', serve]);
  }
  const inside = async (box: string, script: string): Promise<string> =>
    (await actor.run(['exec', box, 'sh', '-c', script])).stdout.trimEnd();
  const page = (box: string, host: string): Promise<string> =>
    inside(box, `wget -q -T 3 -O - http://${host}/ || echo none`);
  const addressOf = (box: string): Promise<string> =>
    actor.ok([
      ...['inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', box],
    ]);

  it('finds boxes of the same network by name and alias, also where they start from a template', async () => {
    expect(await actor.ok(['inspect', '--format', '{{.Machine.Start}}', 'web'])).toBe('template');
    await expect.poll(() => page('client', 'web')).toBe('web');
    expect(await page('client', 'www')).toBe('web');
    expect(await page('web', 'client')).toBe('client');
    expect(await page('client', await addressOf('web'))).toBe('web');
    expect(await inside('web', 'hostname -i')).toBe(await addressOf('web'));
  });

  it('keeps boxes of one network from those of another', async () => {
    expect(await page('stranger', 'stranger')).toBe('stranger');
    expect(await page('stranger', 'web')).toBe('none');
    expect(await page('stranger', await addressOf('web'))).toBe('none');
  });

  it('gives a box names of its own for others by links, wherever those go', async () => {
    await start('linked', '--network', 'front', '--link', 'behind:server', '--link', 'www:site');
    expect(await page('linked', 'site')).toBe('web');
    expect(await page('client', 'site')).toBe('none');
    // The DNS server of the box knows them too, and asks that of the network for all else.
    const resolver = (box: string) => inside(box, 'head -n 1 /etc/resolv.conf');
    expect(await resolver('linked')).toBe('nameserver 127.0.0.11');
    expect(await resolver('client')).toMatch(/^nameserver 10\./);
    const found = (name: string) => inside('linked', `nslookup ${name} && echo found`);
    for (const [name, box] of [
      ['SITE', 'web'],
      ['client', 'client'],
    ] as const) {
      expect(await found(name)).toMatch(new RegExp(`${await addressOf(box)}\\n.*found$`, 's'));
    }
    expect(await found('server')).not.toContain('found');
    const lines = () => inside('linked', 'grep -c server /etc/hosts');
    expect(await lines()).toBe('0');
    for (const _ of ['first', 'again']) {
      await start('behind', '--network', 'front');
      await expect.poll(() => page('linked', 'server')).toBe('behind');
      expect(await found('server')).toContain(await addressOf('behind'));
      await actor.ok(['rm', '-f', 'behind']);
      await expect.poll(lines).toBe('0');
    }
    await actor.ok(['rm', '-f', 'linked']);
  });

  it('publishes ports on the host, at IPv6 addresses of a box without IPv6 too', async () => {
    await expect.poll(() => get('127.0.0.1', port)).toMatch(/\r\n\r\nweb\n$/);
    expect(await get('::1', port)).toMatch(/\r\n\r\nweb\n$/);
  });

  it('publishes UDP ports, the first of a range that is free, and with -P what is exposed', async () => {
    const range = `${port}-${port + 50}`;
    const serve = 'socket-probe udp 5300 & exec httpd -f -p 80 -h /';
    for (const [name, network] of [
      ['udp', 'front'],
      ['own', 'default'],
    ] as const) {
      const options = ['-p', `127.0.0.1:${range}:80`, '-p', `127.0.0.1:${range}:5300/udp`];
      const exposed = ['-P', '--expose', '81', '--network', network];
      await actor.ok([
        ...['run', '-d', '--name', name, ...options, ...exposed, BUSYBOX, 'sh', '-c', serve],
      ]);
      const published = await actor.ok(['port', name]);
      const [, tcp] = /^80\/tcp -> 127\.0\.0\.1:(\d+)$/m.exec(published) ?? [];
      const [, udp] = /^5300\/udp -> 127\.0\.0\.1:(\d+)$/m.exec(published) ?? [];
      expect(published).toMatch(/^81\/tcp -> 0\.0\.0\.0:\d+$/m);
      expect(Number(tcp)).toBeGreaterThan(port);
      await expect.poll(() => ask(Number(udp))).toBe('udp hello');
    }
    await actor.ok(['rm', '-f', 'udp', 'own']);
  });

  it('writes resolver and hosts as it is asked to, and leads to the host where it is asked to', async () => {
    const options = ['--dns-search', 'example.com', '--dns-option', 'rotate'];
    const hosts = ['--add-host', 'db:10.1.2.3', '--add-host', 'h:host-gateway'];
    await start('named', '--network', 'front', ...options, ...hosts);
    const gateway = (await addressOf('named')).replace(/\d+$/, '1');
    expect(await inside('named', 'cat /etc/resolv.conf')).toBe(
      `nameserver ${gateway}\nsearch example.com\noptions rotate ndots:0`,
    );
    expect(await inside('named', 'grep -c "^10.1.2.3.db$" /etc/hosts')).toBe('1');
    await expect.poll(() => page('named', 'web')).toBe('web');
    const everywhere = createServer((socket) => socket.on('error', () => undefined).end('host\n'));
    await new Promise<void>((resolve) => everywhere.listen(0, '0.0.0.0', resolve));
    const { port: open } = everywhere.address() as AddressInfo;
    expect(await inside('named', `nc -w 5 h ${open} < /dev/null`)).toBe('host');
    const h = await inside('named', 'sed -n "s/.h$//p" /etc/hosts');
    expect(await inside('client', `nc -w 2 ${h} ${open} < /dev/null`)).toBe('');
    everywhere.close();
    await actor.ok(['rm', '-f', 'named']);
  });

  it('lets boxes out, but not out of an internal network, and to nobody’s link-local address', async () => {
    const { port: number } = outside.address() as AddressInfo;
    const ask = `nc -w 3 ${OUTSIDE} ${number} < /dev/null || echo none`;
    expect(await inside('client', ask)).toBe('outside');
    await start('hidden', '--network', 'inside', '--ip', '10.123.4.9');
    expect(await addressOf('hidden')).toBe('10.123.4.9');
    expect(await inside('hidden', ask)).toBe('none');
    expect(await page('hidden', '10.123.4.9')).toBe('hidden');
    expect(await page('client', '10.123.4.9')).toBe('none');
    await actor.ok(['rm', '-f', 'hidden']);
    const everywhere = createServer((socket) => socket.on('error', () => undefined).end('host\n'));
    await new Promise<void>((resolve) => everywhere.listen(0, '0.0.0.0', resolve));
    const { port: open } = everywhere.address() as AddressInfo;
    for (const address of hostAddresses()) expect(await get(address, open)).toBe('host\n');
    for (const address of ['169.254.169.254', '169.254.1.2', ...hostAddresses()]) {
      expect(await inside('client', `nc -w 2 ${address} ${open} < /dev/null`)).toBe('');
    }
    everywhere.close();
  });

  it('drops what a hostile box sends with another address', async () => {
    const stolen = (await addressOf('client')).replace(/\d+$/, '200');
    const connect = (address: string) =>
      inside('client', `ping -c 1 -W 2 -I ${address} web > /dev/null && echo open || echo none`);
    expect(await connect(await addressOf('client'))).toBe('open');
    expect(await inside('client', `ip addr add ${stolen}/32 dev eth0 && echo added`)).toBe('added');
    expect(await connect(stolen)).toBe('none');
    const forged = 'ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:99';
    await inside('client', `${forged}; ip link set eth0 up`);
    expect(await page('client', await addressOf('web'))).toBe('none');
    await actor.ok(['rm', '-f', 'client']);
  });

  it('tells nobody the names of another network, and keeps no entry for forged questions', async () => {
    const gateway = (await addressOf('stranger')).replace(/\d+$/, '1');
    const ask = (server: string) => inside('web', `nslookup -type=a stranger ${server} 2>&1`);
    expect(await ask(gateway)).not.toContain(await addressOf('stranger'));
    const own = (await addressOf('web')).replace(/\d+$/, '1');
    expect(await inside('web', `nslookup -type=a web ${own} 2>&1`)).toContain(
      await addressOf('web'),
    );
    const forged = (await addressOf('web')).replace(/\d+$/, '77');
    await start('forger', '--network', 'front', '--cap-add', 'NET_RAW');
    await inside('forger', `arping -c 3 -w 3 -s ${forged} -I eth0 ${own}`);
    const id = await actor.ok(['inspect', '--format', '{{.Id}}', 'forger']);
    const network = await actor.ok(['network', 'inspect', '--format', '{{.Id}}', 'front']);
    const namespace = join(actor.runtimeDir, 'networks', `${id}.${network.slice(0, 12)}`);
    const known = execFileSync('nsenter', [`--net=${namespace}`, 'ip', 'neigh', 'show'], {
      encoding: 'utf8',
    });
    expect(known).toContain(await addressOf('forger'));
    expect(known).not.toContain(forged);
    await actor.ok(['rm', '-f', 'forger']);
  });

  it('puts a confidential box into networks, with names both ways, ports and a policy', async () => {
    const [policy, tcp, ratls] = [
      join(actor.directory, 'p.yaml'),
      await freePort(),
      await freePort(),
    ];
    const networks = ['--network', 'front', '--network', 'name=back,alias=vault'];
    const limits = ['--egress', 'deny:0.0.0.0/0', '--dns-search', 'example.com'];
    const flags = ['--tee', 'simulate', '--host-may', 'exec', ...networks, ...limits];
    const serve = 'mkdir /www && echo secret > /www/index.html && exec httpd -f -p 80 -h /www';
    const box = [BUSYBOX, 'sh', '-c', serve];
    const measured = JSON.parse(
      await actor.ok(['measure', ...flags, '--policy-out', policy, '--format', 'json', ...box]),
    );
    expect(JSON.parse(measured.spec)).toMatchObject({ network: 'nic', hostNetworks: 2 });
    const ports = ['-p', `127.0.0.1:${tcp}:80`, '-p', `127.0.0.1:${ratls}:ratls`];
    await actor.ok(['run', '-d', '--name', 'secret', ...flags, ...ports, ...box]);
    await expect.poll(() => page('web', 'secret')).toBe('secret');
    expect(await page('stranger', 'vault')).toBe('secret');
    expect(await page('secret', 'web')).toBe('web');
    expect(await page('secret', 'stranger')).toBe('stranger');
    for (const [from, to] of [
      ['secret', 'stranger'],
      ['stranger', 'vault'],
    ] as const) {
      expect(await inside(from, `ping -6 -c 1 -W 3 ${to} > /dev/null && echo yes`)).toBe('yes');
    }
    await expect.poll(() => get('127.0.0.1', tcp)).toMatch(/\r\n\r\nsecret\n$/);
    const { port: number } = outside.address() as AddressInfo;
    const ask = `nc -w 3 ${OUTSIDE} ${number} < /dev/null || echo none`;
    expect([await inside('web', ask), await inside('secret', ask)]).toEqual(['outside', 'none']);
    // Nothing is left of the address that the guest had before.
    expect(await inside('secret', 'ip -o -4 addr show scope global | grep -c eth')).toBe('2');
    expect(await inside('secret', 'cat /etc/hosts; ip route')).not.toContain('10.0.2.');
    expect(await inside('secret', 'tail -n 2 /etc/resolv.conf')).toBe(
      'search example.com\noptions ndots:0',
    );
    const verify = ['attest', 'box', `127.0.0.1:${ratls}`, '--policy', policy, '--allow-simulated'];
    expect((await actor.run(verify)).code).toBe(0);
    await actor.ok(['rm', '-f', 'secret']);
  });

  it('connects a confidential box while it runs, as far as its launch spec lets the host', async () => {
    const { port: number } = outside.address() as AddressInfo;
    const [policy, ratls] = [join(actor.directory, 'm.yaml'), await freePort()];
    const names = ['--link', 'www:site', '--host-name', 'later'];
    const other = createServer((socket) => socket.on('error', () => undefined).end('other\n'));
    await new Promise<void>((resolve) => other.listen(0, OUTSIDE, resolve));
    const { port: permitted } = other.address() as AddressInfo;
    const all = ['--egress', 'allow:0.0.0.0/0'];
    const limits = ['--egress', `deny:${OUTSIDE}:tcp:${number}`, ...all];
    const own = ['--tee', 'simulate', '--host-may', 'exec', '--cap-add', 'NET_ADMIN'];
    const flags = [...own, '--network', 'front', '--host-networks', '2', ...names, ...limits];
    const serve = 'mkdir /www && echo moved > /www/index.html && exec httpd -f -p 80 -h /www';
    const box = [BUSYBOX, 'sh', '-c', serve];
    const measured = JSON.parse(
      await actor.ok(['measure', ...flags, '--policy-out', policy, '--format', 'json', ...box]),
    );
    expect(JSON.parse(measured.spec)).toMatchObject({
      ...{ hostNetworks: 2, hostNames: ['later', 'site'] },
    });
    await actor.ok([
      'run',
      '-d',
      '--name',
      'moved',
      ...flags,
      '-p',
      `127.0.0.1:${ratls}:ratls`,
      ...box,
    ]);
    const devices = () => inside('moved', 'ls /sys/class/net | grep eth | xargs');
    const shows = (from: string, host: string, text: string) =>
      expect.poll(() => page(from, host)).toBe(text);
    const out = () => inside('moved', `nc -w 3 ${OUTSIDE} ${number} < /dev/null || echo none`);
    // Links, by the DNS server in the guest as well.
    expect(await devices()).toBe('eth0');
    expect(await page('moved', 'site')).toBe('web');
    expect(await inside('moved', 'head -n 1 /etc/resolv.conf')).toBe('nameserver 127.0.0.11');
    expect(await inside('moved', 'nslookup SITE')).toContain(await addressOf('web'));
    expect(await out()).toBe('none');
    const devicesBefore = await inside('moved', 'ls /sys/bus/pci/devices');
    await actor.ok(['network', 'connect', '--alias', 'moving', 'back', 'moved']);
    expect(await devices()).toBe('eth0 eth1');
    await shows('stranger', 'moving', 'moved');
    expect(await page('moved', 'stranger')).toBe('stranger');
    const ping = 'ping -6 -c 1 -W 3 moving > /dev/null && echo yes';
    expect(await inside('stranger', ping)).toBe('yes');
    for (const [network, ...more] of [['inside'], ['front', '--link', 'web:other']] as const) {
      const refused = await actor.run(['network', 'connect', ...more, network, 'moved']);
      expect(refused.stderr).toMatch(/network front|host-not-permitted/);
    }
    expect(await devices()).toBe('eth0 eth1');
    // What the workload has made of its card is not there when it gets it again.
    await inside('moved', 'ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:99');
    await actor.ok(['network', 'disconnect', 'front', 'moved']);
    expect(await devices()).toBe('eth1');
    expect(await inside('moved', 'grep -c site /etc/hosts')).toBe('0');
    expect(await page('web', 'moved')).toBe('none');
    // The policy of the box holds by the other way out.
    expect(await inside('moved', 'ip route show default')).toContain('eth1');
    expect(await out()).toBe('none');
    const foreign = await actor.run([
      'network',
      'connect',
      '--link',
      'web:other',
      'front',
      'moved',
    ]);
    expect(foreign.stderr).toContain('(host-not-permitted)');
    await actor.killServer();
    await actor.ok(['network', 'connect', '--link', 'web:later', 'front', 'moved']);
    expect(await devices()).toBe('eth0 eth1');
    expect(await page('moved', 'later')).toBe('web');
    await shows('web', 'moved', 'moved');
    // The policy of a network holds as well, of which no launch spec says anything.
    const elsewhere = () =>
      inside('moved', `nc -w 3 ${OUTSIDE} ${permitted} < /dev/null || echo none`);
    expect(await elsewhere()).toBe('other');
    await actor.ok(['network', 'create', '--egress', `deny:${OUTSIDE}`, ...all, 'closed']);
    await actor.ok(['network', 'disconnect', 'back', 'moved']);
    await actor.ok(['network', 'connect', '--gw-priority', '1', 'closed', 'moved']);
    expect(await elsewhere()).toBe('none');
    const explained = await actor.run([
      'network',
      'policy',
      'explain',
      'moved',
      `${OUTSIDE}:${permitted}`,
    ]);
    expect(explained.stdout).toContain(`deny:${OUTSIDE}`);
    await actor.ok(['network', 'disconnect', 'closed', 'moved']);
    expect(await elsewhere()).toBe('other');
    await actor.ok(['network', 'rm', 'closed']);
    other.close();
    await actor.ok(['network', 'connect', '--alias', 'moving', 'back', 'moved']);
    // No device has come into the guest.
    expect(await inside('moved', 'ls /sys/bus/pci/devices')).toBe(devicesBefore);
    await actor.ok(['restart', '--time', '0', 'moved']);
    expect([await page('moved', 'later'), await page('moved', 'stranger')]).toEqual([
      ...['web', 'stranger'],
    ]);
    await shows('stranger', 'moving', 'moved');
    expect(await out()).toBe('none');
    const verify = ['attest', 'box', `127.0.0.1:${ratls}`, '--policy', policy, '--allow-simulated'];
    expect((await actor.run(verify)).code).toBe(0);
    await actor.ok(['rm', '-f', 'moved']);
  });

  it('refuses to remove a network that a box is in', async () => {
    const refused = await actor.run(['network', 'rm', 'front']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('network-in-use');
  });

  it('keeps boxes in their network while the server is killed, and gives a later box an old name', async () => {
    await actor.killServer();
    for (const address of ['127.0.0.1', '::1']) {
      await expect.poll(() => get(address, port)).toMatch(/\r\n\r\nweb\n$/);
    }
    await start('client', '--network', 'front');
    await expect.poll(() => page('client', 'web')).toBe('web');
    expect(await page('web', 'client')).toBe('client');
    await actor.ok(['restart', '--time', '0', 'web']);
    await expect.poll(() => page('client', 'web')).toBe('web');
  });

  it('leaves nothing on the host after the last box', async () => {
    await actor.ok(['rm', '-f', 'web', 'client', 'stranger']);
    await until('no process is left', () => networkProcesses().length === 0);
    for (const network of ['front', 'back', 'inside']) await actor.ok(['network', 'rm', network]);
    expect(execFileSync('findmnt', ['-rn', '-o', 'TARGET'], { encoding: 'utf8' })).not.toContain(
      actor.runtimeDir,
    );
  });

  /** Processes that serve this actor's networks: their command lines have its directory. */
  function networkProcesses(): string[] {
    return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => /^\S*(pasta|aardvark)/.test(line) && line.includes(actor.runtimeDir));
  }
});

/** The host's addresses other than loopback. */
function hostAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
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

function get(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    let text = '';
    socket.setTimeout(scaled(5_000), () => socket.destroy());
    socket.write('GET /index.html HTTP/1.0\r\n\r\n');
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}
