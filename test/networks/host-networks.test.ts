import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { userNetworks } from '../../src/networks/host/available.ts';
import type { Endpoint } from '../../src/networks/host/endpoint.ts';
import { NamespaceNetworks } from '../../src/networks/host/host-networks.ts';

const { available, reason } = await userNetworks();
if (!available && process.geteuid?.() === 0) throw new Error(`No networks here: ${reason}`);

const [web, db] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];
const network = {
  ...{ id: 'ab'.repeat(32), subnet: '10.89.1.0/24', gateway: '10.89.1.1' },
  ...{ internal: false, mtu: 65_520 },
};

describe.runIf(process.geteuid?.() === 0)('networks on the host', () => {
  let directory: string;
  let networks: NamespaceNetworks;
  const taps: number[] = [];
  const complaints: unknown[] = [];
  const log = { error: (_: string, error: unknown) => complaints.push(error) };

  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'a3s-net-')), 'net');
    networks = new NamespaceNetworks(directory, log);
  });
  afterEach(async () => {
    for (const tap of taps.splice(0)) closeSync(tap);
    await networks.reconcile(new Set());
    expect(existsSync(directory)).toBe(false);
    expect(processes()).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(directory);
    rmSync(join(directory, '..'), { recursive: true });
  });

  async function attach(more: Partial<Endpoint> & Pick<Endpoint, 'box'>): Promise<void> {
    const last = more.box.startsWith('1') ? 2 : 3;
    const address = `10.89.1.${last}`;
    const mac = `02:00:0a:59:01:0${last}`;
    taps.push(
      await networks.attach({ names: [`box${last}`], network, address, mac, ports: [], ...more }),
    );
  }

  /** Processes of these networks: their command lines have the directory. */
  function processes(): string[] {
    return readdirSync('/proc').flatMap((pid) => {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
      const args = cmdline(pid);
      return args.some((arg) => arg.startsWith(directory)) ? [args[0] ?? ''] : [];
    });
  }
  function cmdline(pid: string): string[] {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    } catch {
      return [];
    }
  }
  async function freePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  const inside = (namespace: string, ...command: string[]): string =>
    execFileSync('nsenter', [`--net=${join(directory, namespace)}`, ...command], {
      encoding: 'utf8',
    });
  /** The names that the DNS server has for an address. */
  const namesOf = (address: string): string[] =>
    readFileSync(join(directory, 'netavark/aardvark-dns/abababababab'), 'utf8')
      .split('\n')
      .filter((line) => line.includes(` ${address} `))
      .flatMap((line) => line.trim().split(/ +/)[2]?.split(',') ?? []);
  const kill = (program: RegExp): void => {
    for (const pid of readdirSync('/proc')) {
      const args = /^\d+$/.test(pid) ? cmdline(pid) : [];
      if (program.test(args[0] ?? '') && args.some((arg) => arg.startsWith(directory))) {
        process.kill(Number(pid), 'SIGKILL');
      }
    }
  };

  it('gives each box a namespace that routes, and a name; none of it is in the host’s own', async () => {
    const before = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' });
    await attach({ box: web, names: ['web', 'www'] });
    await attach({ box: db });
    expect(inside(web, 'ip', 'route')).toContain('10.89.1.2 dev tap0');
    expect(inside('holder', 'ip', '-br', 'link')).toMatch(/brabababababab +UP/);
    expect(namesOf('10.89.1.2')).toEqual(expect.arrayContaining(['web', 'www']));
    expect(namesOf('10.89.1.3')).toContain('box3');
    expect(execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' })).toBe(before);
    await networks.detach(web);
    expect(namesOf('10.89.1.2')).toEqual([]);
    expect(inside('holder', 'ip', '-br', 'link')).toMatch(/brabababababab +UP/);
    await networks.detach(db);
    expect(existsSync(directory)).toBe(false);
  });

  it('has no way out of an internal network', async () => {
    await attach({ box: web, network: { ...network, internal: true } });
    expect(inside(web, 'ip', 'route')).not.toContain('default');
  });

  it('refuses a port that is taken, and leaves nothing of the box', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port: hostPort } = server.address() as { port: number };
    const ports = [{ hostIp: '127.0.0.1', hostPort, boxPort: 80, protocol: 'tcp' as const }];
    await expect(attach({ box: web, ports })).rejects.toMatchObject({ code: 'port-in-use' });
    expect(existsSync(directory)).toBe(false);
    server.close();
  });

  it('puts a box that is there already into the network anew', async () => {
    await attach({ box: web, names: ['old'] });
    closeSync(taps.pop() ?? -1);
    await attach({ box: web, names: ['new'] });
    expect(namesOf('10.89.1.2')).toEqual(['new']);
  });

  it('lets a later server take over, and starts what was killed again', async () => {
    const hostPort = await freePort();
    const ports = [{ hostIp: '127.0.0.1', hostPort, boxPort: 80, protocol: 'tcp' as const }];
    await attach({ box: web, ports });
    await attach({ box: db });
    kill(/pasta/);
    await expect.poll(() => processes().filter((name) => name.includes('pasta'))).toEqual([]);
    networks = new NamespaceNetworks(directory, log);
    await networks.reconcile(new Set([db]));
    expect(readdirSync(directory).filter((name) => name.startsWith('1'))).toEqual([]);
    expect(processes().filter((name) => name.includes('pasta'))).toHaveLength(1);
    expect(inside('holder', 'ip', 'route')).toMatch(/^default/);
  });
});
