import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

/** Addresses of the host that only its loopback device has meanwhile: the world outside. */
const OUTSIDE = '198.51.100.79';
const OUTSIDE6 = '2001:db8:79::1';

/** Root plays the user, and gives it a `/dev/net/tun` that everybody may open, as Debian has it. */
describe.runIf(process.geteuid?.() === 0)('user-defined networks of an ordinary user', () => {
  let installation: Installation;
  let actor: Actor;
  let devices: string;

  beforeAll(async () => {
    execFileSync('ip', ['addr', 'add', `${OUTSIDE}/32`, 'dev', 'lo']);
    execFileSync('ip', ['addr', 'add', `${OUTSIDE6}/128`, 'dev', 'lo']);
    devices = mkdtempSync(join(tmpdir(), 'a3s-tun-'));
    const tun = join(devices, 'tun');
    execFileSync('mknod', [tun, 'c', '10', '200']);
    chmodSync(tun, 0o666);
    installation = await install();
    actor = new Actor('ordinary user', installation, tun);
    await actor.prepare();
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
    await installation.remove();
    rmSync(devices, { recursive: true });
    execFileSync('ip', ['addr', 'del', `${OUTSIDE}/32`, 'dev', 'lo']);
    execFileSync('ip', ['addr', 'del', `${OUTSIDE6}/128`, 'dev', 'lo']);
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
  const published = async (port: number): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    return (await response.text()).trim();
  };

  it('gives boxes IPv6 by name, out to the world and in from the host, at their start and while they run', async () => {
    const outside = createServer((socket) => socket.on('error', () => undefined).end('outside\n'));
    await new Promise<void>((resolve) => outside.listen(0, OUTSIDE6, resolve));
    const { port: open } = outside.address() as AddressInfo;
    const out = (box: string) =>
      inside(box, `nc -w 3 ${OUTSIDE6} ${open} < /dev/null || echo none`);
    const reaches = (box: string, host: string): Promise<string> =>
      inside(box, `ping -6 -c 1 -W 3 ${host} > /dev/null && echo yes || echo no`);
    const published6 = async (port: number): Promise<string> =>
      (await (await fetch(`http://[::1]:${port}/`)).text()).trim();
    await actor.ok(['network', 'create', '--ipv6', '--subnet', 'fd00:a79::/64', 'six']);
    await actor.ok(['network', 'create', 'four']);
    const web = ['--network', 'six', '--ip6', 'fd00:a79::9', '-p', '[::1]::80'];
    await start('web6', ...web);
    await start('moving', '--network', 'four');
    const port = Number((await actor.ok(['port', 'web6', '80'])).split(':').at(-1));
    expect(await inside('web6', 'ip -6 -o addr show eth0')).toContain('fd00:a79::9/64');
    expect(await reaches('moving', 'fd00:a79::9')).toBe('no');
    await actor.ok(['network', 'connect', '--alias', 'mover', 'six', 'moving']);
    await expect.poll(() => reaches('moving', 'web6')).toBe('yes');
    await expect.poll(() => reaches('web6', 'mover')).toBe('yes');
    expect(await page('moving', '[fd00:a79::9]')).toBe('web6');
    expect(await published6(port)).toBe('web6');
    expect(await out('web6')).toBe('outside');
    // The way out is that of IPv4, which this box has by a network without IPv6.
    expect(await out('moving')).toBe('none');
    const limits = ['--egress', `deny:[${OUTSIDE6}]`, '--egress', 'allow:[::/0]'];
    await start('limited6', '--network', 'six', ...limits);
    expect(await out('limited6')).toBe('none');
    await expect.poll(() => reaches('limited6', 'web6')).toBe('yes');
    await actor.killServer();
    expect(await published6(port)).toBe('web6');
    await actor.ok(['network', 'disconnect', 'four', 'moving']);
    expect(await out('moving')).toBe('outside');
    await actor.ok(['restart', '--time', '0', 'web6']);
    await expect.poll(() => reaches('moving', 'web6')).toBe('yes');
    await actor.ok(['network', 'disconnect', 'six', 'moving']);
    expect(await inside('moving', 'ip -6 -o addr show scope global')).toBe('');
    await actor.ok(['rm', '-f', 'web6', 'moving', 'limited6']);
    for (const network of ['six', 'four']) await actor.ok(['network', 'rm', network]);
    outside.close();
  });

  it('leads to other boxes, out to the world and in from the host, also after the server was killed', async () => {
    const outside = createServer((socket) => socket.on('error', () => undefined).end('outside\n'));
    await new Promise<void>((resolve) => outside.listen(0, OUTSIDE, resolve));
    const { port: open } = outside.address() as AddressInfo;
    const out = (box: string) => inside(box, `nc -w 3 ${OUTSIDE} ${open} < /dev/null || echo none`);
    for (const network of ['front', 'back']) await actor.ok(['network', 'create', network]);
    await start('web', '--network', 'front', '-p', '127.0.0.1::80');
    await start('client', '--network', 'front');
    const port = Number((await actor.ok(['port', 'web', '80'])).split(':').at(-1));
    await expect.poll(() => page('client', 'web')).toBe('web');
    expect(await out('client')).toBe('outside');
    expect(await published(port)).toBe('web');
    const policy = ['--egress', `allow:${OUTSIDE}:tcp:${open + 1}`];
    await start('limited', '--network', 'front', ...policy);
    await expect.poll(() => page('limited', 'web')).toBe('web');
    expect(await out('limited')).toBe('none');
    await actor.killServer();
    expect(await published(port)).toBe('web');
    await actor.ok(['network', 'connect', 'back', 'client']);
    await start('other', '--network', 'back');
    await expect.poll(() => page('client', 'other')).toBe('other');
    expect(await page('other', 'web')).toBe('none');
    await actor.ok(['rm', '-f', 'web', 'client', 'other', 'limited']);
    const left = () => actor.boxProcesses().map(({ commandLine }) => commandLine);
    await until('nothing of the networks is left', () => left().length === 0);
    outside.close();
  });
});
