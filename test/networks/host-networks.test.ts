import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PASTA_IDENTITY } from '../../src/jail/identity.ts';
import { readJail } from '../../src/jail/read-jail.ts';
import { setLeastJail } from '../../src/jail/spawn.ts';
import { attachWhole } from '../../src/networks/host/attach-whole.ts';
import { userNetworks } from '../../src/networks/host/available.ts';
import type { Endpoint } from '../../src/networks/host/endpoint.ts';
import { NamespaceNetworks } from '../../src/networks/host/namespace-networks.ts';

const { available, reason } = await userNetworks();
if (!available && process.geteuid?.() === 0) throw new Error(`No networks here: ${reason}`);

const [web, db] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];
const network = {
  ...{ id: 'ab'.repeat(32), subnet: '10.89.1.0/24', gateway: '10.89.1.1' },
  ...{ internal: false, mtu: 65_520 },
};

const roots = async (): Promise<readonly string[]> => [];

describe.runIf(process.geteuid?.() === 0)('networks on the host', () => {
  let directory: string;
  let networks: NamespaceNetworks;
  const taps: number[] = [];
  const complaints: unknown[] = [];
  const log = { error: (_: string, error: unknown) => complaints.push(error) };

  const umask = process.umask();
  afterAll(() => process.umask(umask));

  beforeEach(() => {
    // As the server's.
    process.umask(0o077);
    const parent = mkdtempSync(join(tmpdir(), 'a3s-net-'));
    // As the server's own: the DNS server is no root.
    chmodSync(parent, 0o711);
    directory = join(parent, 'net');
    networks = new NamespaceNetworks(directory, log, { bundle: '/nowhere/egress.cjs', roots });
  });
  afterEach(async () => {
    for (const tap of taps.splice(0)) closeSync(tap);
    await networks.reconcile([]);
    expect(existsSync(directory)).toBe(false);
    expect(processes()).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(directory);
    rmSync(join(directory, '..'), { recursive: true });
  });

  async function attach(more: Partial<Endpoint> & Pick<Endpoint, 'box'>): Promise<void> {
    const names = [more.box === web ? 'box2' : 'box3'];
    taps.push(
      await attachWhole(networks, { names, network, ...addressOf(more.box), ports: [], ...more }),
    );
  }
  function addressOf(box: string): { address: string; mac: string } {
    const last = box === web ? 2 : 3;
    return { address: `10.89.1.${last}`, mac: `02:00:0a:59:01:0${last}` };
  }
  const nameOf = (of: string): string => (of === 'holder' ? of : `${of}.abababababab`);

  const at = (name: string): string => join(directory, name);

  /** What confines the pasta of a namespace that runs. */
  function pastaOf(name: string) {
    const pid = Number(readFileSync(at(`${name}.pid`), 'utf8'));
    const { userId: user, namespaces } = readJail(pid) ?? expect.fail('pasta has ended');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const capabilities = Number.parseInt(/^CapEff:\t(\S+)/m.exec(status)?.[1] ?? '', 16);
    const others = namespaces.filter((kind) => kind !== 'cgroup');
    return { user, namespaces: others, capabilities, files: readdirSync(`/proc/${pid}/root`) };
  }

  /** The user who made the user namespace of a network namespace. */
  function ownerOf(path: string): number {
    const args = [
      '-n',
      '-o',
      'NS,UID',
      '-t',
      'user',
      '-p',
      readFileSync(`${path}.pid`, 'utf8').trim(),
    ];
    const line = execFileSync('lsns', args, { encoding: 'utf8' }).trim();
    return Number(line.split(/ +/)[1]);
  }

  /** Processes of these networks: their command lines have the directory. */
  function processes(): string[] {
    return readdirSync('/proc').flatMap((pid) => {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
      const args = cmdline(pid);
      return args.some((arg) => arg.startsWith(directory)) ? [args[0] ?? ''] : [];
    });
  }
  /** The capabilities of a process of these networks, and whether it can get no others. */
  function privileges(program: string): string[] {
    const pid = readdirSync('/proc').find((each) => {
      const args = /^\d+$/.test(each) ? cmdline(each) : [];
      return args[0]?.endsWith(program) === true && args.some((arg) => arg.startsWith(directory));
    });
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    expect(status).not.toMatch(/^Uid:\t0\t/m);
    // It sees the system's programs, and what is its own.
    expect(readdirSync(`/proc/${pid}/root`)).toContain('usr');
    expect(existsSync(`/proc/${pid}/root/proc`)).toBe(false);
    expect(existsSync(`/proc/${pid}/root${import.meta.filename}`)).toBe(false);
    return ['CapBnd', 'NoNewPrivs', 'Seccomp_filters'].map(
      (name) => new RegExp(`^${name}:\\t(\\S+)$`, 'm').exec(status)?.[1] ?? '',
    );
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
  /** @param of a box, whose namespace in the first network is meant, or `holder` */
  const inside = (of: string, ...command: string[]): string =>
    execFileSync('nsenter', [`--net=${join(directory, nameOf(of))}`, ...command], {
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

  it('ends a DNS server that was being started when its server was killed, and starts another', async () => {
    await attach({ box: web });
    const file = join(directory, 'netavark/aardvark-dns/aardvark.pid');
    const lost = readFileSync(file, 'utf8');
    // As if the next server had come before it wrote its number.
    rmSync(file);
    networks = new NamespaceNetworks(directory, log, { bundle: '/nowhere/egress.cjs', roots });
    await networks.reconcile([{ box: web, network: network.id }]);
    expect(complaints).toEqual([]);
    expect(processes().filter((program) => program.endsWith('aardvark-dns'))).toHaveLength(1);
    expect(readFileSync(file, 'utf8')).not.toBe(lost);
  });

  it('answers for the IPv6 address of a box, whose guest is never asked', async () => {
    const six = { ...network, ipv6: { subnet: 'fd00:89::/64', gateway: 'fd00:89::1' } };
    const [from, to] = ['fd00:89::2', 'fd00:89::3'];
    await attach({ box: web, network: six, address6: from });
    await attach({ box: db, network: six, address6: to });
    const names = readFileSync(join(directory, 'netavark/aardvark-dns/abababababab'), 'utf8');
    expect(names).toContain(to);
    const send = `require('dgram').createSocket('udp6').send('x', 9, process.argv[1], process.exit)`;
    const known = (address: string): string => {
      inside(web, process.execPath, '-e', send, address);
      return inside(web, 'ip', '-6', 'neigh', 'show', address);
    };
    const deadline = { timeout: 10_000 };
    await expect.poll(() => known(to), deadline).toContain(addressOf(db).mac);
    await expect.poll(() => known('fd00:89::1'), deadline).toContain('lladdr');
    expect(inside(web, 'ip', '-6', 'route', 'show', 'default')).toMatch(/^default via fd00:89::1 /);
    expect(inside(db, 'ip', '-6', 'neigh', 'show', 'dev', 'tap0')).toContain('PERMANENT');
  });

  it('puts a box into two networks, each in a namespace of its own, and names resolve in both', async () => {
    await attach({ box: web, names: ['web'] });
    const other = { ...network, id: 'cd'.repeat(32), subnet: '10.89.2.0/24', gateway: '10.89.2.1' };
    const second = { network: other, address: '10.89.2.2', mac: '02:00:0a:59:02:02' };
    await attach({ box: web, names: ['web', 'two'], ...second });
    const dbThere = { network: other, address: '10.89.2.3', mac: '02:00:0a:59:02:03' };
    await attach({ box: db, names: ['db'], ...dbThere });
    // Asked from the first network, the server tells names of the second as well.
    const ask = `${join(directory, nameOf(web))}`;
    const answer = () => lookUp(ask, '10.89.1.2', '10.89.1.1', 'db');
    await expect.poll(answer, { timeout: 10_000 }).toContain('10.89.2.3');
    await networks.detach(web, network.id);
    expect(readdirSync(directory).filter((name) => name.startsWith(web))).toHaveLength(2);
    expect(inside('holder', 'ip', '-br', 'link')).toMatch(/brcdcdcdcdcdcd +UP/);
    await networks.detach(web);
    expect(readdirSync(directory).filter((name) => name.startsWith(web))).toEqual([]);
  });

  it('publishes the ports of a box anew, in another network too', async () => {
    const [hostPort, other] = [await freePort(), await freePort()];
    const published = { hostIp: '127.0.0.1', hostPort, boxPort: 80, protocol: 'tcp' as const };
    await attach({ box: web });
    const place = { box: web, names: ['web'], network, ...addressOf(web) };
    for (const ports of [
      [published],
      [published, { ...published, boxPort: 81, hostPort: other }],
    ]) {
      await networks.publish({ ...place, ports });
      expect(inside(web, 'nft', 'list', 'chain', 'inet', 'box', 'published')).toMatch(
        /dport (80|\{ 80, 81 \}) dnat ip to 10\.89\.1\.2/,
      );
    }
    expect(processes().filter((name) => name.includes('pasta'))).toHaveLength(2);
    await networks.publish({ ...place, ports: [] });
    expect(processes().filter((name) => name.includes('pasta'))).toHaveLength(1);
  });

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

  it('a box has no way out of an internal network', async () => {
    await attach({ box: web, network: { ...network, internal: true } });
    expect(inside(web, 'ip', 'route')).not.toContain('default');
  });

  it('confines pasta to a user namespace that has nothing but its network', async () => {
    await attach({ box: web });
    const { user, capabilities, namespaces, files } = pastaOf('holder');
    expect(user).toBe(PASTA_IDENTITY.uid);
    expect(namespaces).toEqual(['ipc', 'mnt', 'pid', 'user', 'uts']);
    // That of its own namespace alone: to bind ports, and to enter its network.
    expect(capabilities).toBe(0x20_0400);
    expect(files).toEqual([]);
    expect(ownerOf(at('holder'))).toBe(PASTA_IDENTITY.uid);
  });

  it('leaves root to a pasta that binds a port which only root may bind', async () => {
    const low = { hostIp: '127.0.0.77', hostPort: 997, boxPort: 80, protocol: 'tcp' as const };
    await attach({ box: web, ports: [low] });
    expect(pastaOf('holder').user).toBe(PASTA_IDENTITY.uid);
    const { user, capabilities, namespaces, files } = pastaOf(nameOf(web));
    expect(user).toBe(0);
    expect(namespaces).toEqual(['ipc', 'mnt', 'pid', 'uts']);
    expect(capabilities).toBe(0x20_0400);
    expect(files).toEqual([]);
    setLeastJail('all-features');
    try {
      await networks.detach(web);
      await expect(attach({ box: web, ports: [low] })).rejects.toMatchObject({
        code: 'state-unusable',
      });
    } finally {
      setLeastJail('one-feature');
    }
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

  it('hands over a tap device that is down until the box is in its network', async () => {
    const state = (): string => inside(web, 'ip', '-brief', 'link', 'show', 'tap0').slice(0, 30);
    const endpoint = { box: web, names: ['web'], network, ...addressOf(web), ports: [] };
    const { tap, whole } = await networks.attach(endpoint);
    taps.push(tap);
    // Nothing of this process goes on meanwhile.
    expect(state()).toContain(' DOWN ');
    expect(inside(web, 'nft', 'list', 'tables')).toContain('table inet box');
    await whole;
    expect(state()).not.toContain(' DOWN ');
  });

  it('takes away what it had made where the rest fails', async () => {
    const address = '10.99.1.2';
    const there = { box: web, names: ['web'], network, ...addressOf(web), ports: [], address };
    const { tap, whole } = await networks.attach(there);
    taps.push(tap);
    await expect(whole).rejects.toMatchObject({ code: 'network-failed' });
    expect(existsSync(directory)).toBe(false);
  });

  it('puts a box that is there already into the network anew', async () => {
    await attach({ box: web, names: ['old'] });
    closeSync(taps.pop() ?? -1);
    await attach({ box: web, names: ['new'] });
    expect(namesOf('10.89.1.2')).toEqual(['new']);
  });

  it('starts what was killed again while it runs: the way out, names and published ports', async () => {
    const hostPort = await freePort();
    const ports = [{ hostIp: '127.0.0.1', hostPort, boxPort: 80, protocol: 'tcp' as const }];
    await attach({ box: web, names: ['web'], ports });
    await attach({ box: db, names: ['db'] });
    const all = ['aardvark-dns', 'pasta', 'pasta'];
    const running = () =>
      processes()
        .map((path) => (/[^/]*$/.exec(path)?.[0] ?? '').replace(/\..*/, ''))
        .sort();
    expect(running()).toEqual(all);
    expect(privileges('aardvark-dns')).toEqual(['0000000000000000', '1', '1']);
    for (const program of [/pasta/, /aardvark/, /pasta|aardvark/]) {
      kill(program);
      // What is still ending would be taken for one that runs.
      await expect.poll(() => running().filter((name) => program.test(name))).toEqual([]);
      await networks.repair();
      expect(running()).toEqual(all);
    }
    const answer = () => lookUp(join(directory, nameOf(web)), '10.89.1.2', '10.89.1.1', 'db');
    await expect.poll(answer, { timeout: 10_000 }).toContain('10.89.1.3');
    expect(inside(web, 'ip', '-br', 'addr')).toMatch(/pub0 .*169\.254\.78\.2/);
    expect(privileges('aardvark-dns')).toEqual(['0000000000000000', '1', '1']);
    // netavark opens files there as root.
    const { uid, mode } = statSync(join(directory, 'netavark/aardvark-dns'));
    expect([uid, (mode & 0o7777).toString(8)]).toEqual([0, '750']);
    expect(complaints).toEqual([]);
  });

  it('lets a later server take over, and starts what was killed again', async () => {
    const hostPort = await freePort();
    const ports = [{ hostIp: '127.0.0.1', hostPort, boxPort: 80, protocol: 'tcp' as const }];
    await attach({ box: web, ports });
    await attach({ box: db });
    kill(/pasta/);
    await expect.poll(() => processes().filter((name) => name.includes('pasta'))).toEqual([]);
    networks = new NamespaceNetworks(directory, log, { bundle: '/nowhere/egress.cjs', roots });
    await networks.reconcile([{ box: db, network: network.id }]);
    expect(readdirSync(directory).filter((name) => name.startsWith('1'))).toEqual([]);
    expect(processes().filter((name) => name.includes('pasta'))).toHaveLength(1);
    expect(inside('holder', 'ip', 'route')).toMatch(/^default/);
  });
});

/** Asks a DNS server from an address of a namespace, which routes for it. */
function lookUp(namespace: string, from: string, server: string, name: string): string {
  const ask = `
    const socket = require('node:dgram').createSocket('udp4');
    const label = Buffer.from('${name}');
    const question = [Buffer.from([label.length]), label, Buffer.from([0, 0, 1, 0, 1])];
    const head = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    setTimeout(() => process.exit(), 2000);
    socket.on('message', (answer) => {
      console.log(answer.subarray(-4).join('.'));
      process.exit();
    });
    socket.send(Buffer.concat([head, ...question]), 53, '${server}');`;
  execFileSync('nsenter', [
    `--net=${namespace}`,
    'ip',
    'addr',
    'replace',
    `${from}/32`,
    'dev',
    'lo',
  ]);
  const route = ['route', 'replace', server, 'dev', 'eth0', 'src', from];
  execFileSync('nsenter', [`--net=${namespace}`, 'ip', ...route]);
  const args = [`--net=${namespace}`, process.execPath, '-e', ask];
  return execFileSync('nsenter', args, { encoding: 'utf8' });
}
