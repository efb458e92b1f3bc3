import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { passtSocket, startPasst } from '../../src/engine/helpers/passt.ts';
import { GUEST_NETWORK } from '../../src/engine/network.ts';
import { endProcesses } from '../../src/engine/processes/sweep.ts';
import { prepareDirectory } from '../../src/engine/runtime-directory.ts';
import { FakeGuestNic } from '../../src/engine/testing/fake-nic.ts';
import { identityFor } from '../../src/jail/identity.ts';
import { question, recordBytes } from '../../src/networks/egress/testing/dns-bytes.ts';
import { attachWhole } from '../../src/networks/host/attach-whole.ts';
import type { Endpoint } from '../../src/networks/host/endpoint.ts';
import { libc } from '../../src/networks/host/libc.ts';
import { makeNamespace, removeNamespace } from '../../src/networks/host/namespace.ts';
import { NamespaceNetworks } from '../../src/networks/host/namespace-networks.ts';
import { GATEWAY_MAC } from '../../src/networks/host/routed.ts';
import { BRIDGE } from '../../src/networks/predefined.ts';
import { type Send, startPeer } from './egress/peer.ts';
import { canRun, UNREACHABLE } from './egress/world.ts';
import {
  address,
  ECHO,
  FORGED,
  icmp6Frame,
  OF_NEIGHBOURS,
  readIcmp6,
  udp6Frame,
} from './frames.ts';
import { Guest } from './guest.ts';

const BUNDLE = join(import.meta.dirname, '../../dist/egress.cjs');
const CLONE_NEWNET = 0x4000_0000;
/** Of the world. */
const OUTSIDE = '2001:db8:a3::77';
/** Amazon's, which the world has for this test. */
const METADATA = 'fd00:ec2::254';
/** Of the host. */
const HOST = '2001:db8:a4::2';
const OTHER_HOST = '2001:db8:a4::3';
const MAC = '02:00:00:00:00:02';
const AAAA = 28;
/** In the namespace's making, netavark's work, pasta's start, the egress program's, and later. */
const KILLED_AFTER_MS = [30, 150, 400, 900, 1700];
const BOX = 'fd00:89::2';
/** In hexadecimal digits. */
const NO_ADDRESS = '0'.repeat(32);

const network = {
  ...{ id: 'ab'.repeat(32), subnet: '10.89.1.0/24', gateway: '10.89.1.1' },
  ...{ internal: false, mtu: 1500, ipv6: { subnet: 'fd00:89::/64', gateway: 'fd00:89::1' } },
};
const roots = async (): Promise<readonly string[]> => [];

function hasEnded(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    return ['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/**
 * The host is a namespace in which this process is meanwhile, and what it starts: whether the
 * machine has IPv6 does not matter.
 */
describe.runIf(await canRun())('IPv6 of networks', () => {
  let directory = '';
  let own: number;
  let networks: NamespaceNetworks;
  let host: Send;
  let world: Send;
  const children: { disconnect(): void }[] = [];
  const guests: Guest[] = [];
  const complaints: unknown[] = [];
  const log = { error: (_: string, error: unknown) => complaints.push(error) };
  const at = (name: string): string => join(directory, name);
  const run = (of: string, ...command: string[]): string =>
    execFileSync('nsenter', [`--net=${of}`, ...command], { encoding: 'utf8' });
  const ip = (of: string, ...words: string[]): string => run(at(of), 'ip', ...words);
  const server = (): NamespaceNetworks =>
    new NamespaceNetworks(at('net'), log, { bundle: BUNDLE, roots });

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'a3s-six-'));
    chmodSync(directory, 0o711);
    own = openSync('/proc/thread-self/ns/net', 'r');
    for (const name of ['host', 'world']) await makeNamespace(at(name));
    for (const name of ['host', 'world']) {
      const peer = await startPeer(at(name));
      children.push(peer.child);
      if (name === 'host') {
        host = peer.send;
        ip('host', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'down0');
      } else {
        world = peer.send;
        ip('host', 'link', 'set', 'down0', 'netns', `${peer.child.pid}`);
      }
    }
    for (const [of, device, last] of [
      ['host', 'up0', '2'],
      ['world', 'down0', '1'],
    ] as const) {
      ip(of, 'addr', 'add', `192.0.2.${last}/24`, 'dev', device);
      ip(of, 'addr', 'add', `2001:db8:a4::${last}/64`, 'dev', device, 'nodad');
      ip(of, 'link', 'set', device, 'up');
    }
    ip('host', 'route', 'add', 'default', 'via', '192.0.2.1');
    ip('host', '-6', 'route', 'add', 'default', 'via', '2001:db8:a4::1');
    for (const address of [OUTSIDE, METADATA]) {
      ip('world', 'addr', 'add', `${address}/128`, 'dev', 'lo', 'nodad');
      await world('serveTcp', { address, port: 80 });
    }
    await world('serveUdp', { address: OUTSIDE, port: 9000 });
    await host('serveTcp', { address: HOST, port: 80 });
    for (const address of ['127.0.0.1', '192.0.2.2']) {
      await host('serveUdp', { address, port: 9000 });
    }
    await enter(openSync(at('host'), 'r'));
  });
  afterAll(async () => {
    await enter(own);
    for (const child of children) child.disconnect();
    for (const name of ['host', 'world']) await removeNamespace(at(name));
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    networks = server();
  });
  afterEach(async () => {
    for (const guest of guests.splice(0)) await guest.close();
    await networks.reconcile([]);
    expect(existsSync(at('net'))).toBe(false);
    expect(complaints).toEqual([]);
  });

  function limits(rules: string[], resolver = network.gateway): Endpoint['egress'] {
    const servers = [resolver];
    return {
      ...{ uid: 0x7a36_2222, resolvers: servers, upstreams: servers, namesBoxes: true },
      ...{ policies: [{ of: 'box', default: 'deny', rules }], ownSubnets: [] },
    };
  }

  /** Those of these networks: their command lines have the directory. */
  function processes(): string[] {
    return readdirSync('/proc').filter((name) => {
      if (!/^\d+$/.test(name) || Number(name) === process.pid) return false;
      try {
        const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        return args.some((arg) => arg.startsWith(at('net')));
      } catch {
        return false;
      }
    });
  }

  async function killAll(): Promise<void> {
    const pids = processes();
    expect(pids.length).toBeGreaterThan(3);
    // One of them may end with another.
    execFileSync('sh', ['-c', 'kill -9 "$@" || true', 'sh', ...pids], { stdio: 'ignore' });
    // One that was killed and has not run since would be taken for one that runs.
    await expect.poll(processes).toEqual([]);
  }

  /** As where the host gets other addresses by DHCP. The routes go with the old ones. */
  function move(old: readonly string[], fresh: readonly string[]): void {
    for (const each of old) ip('host', 'addr', 'del', each, 'dev', 'up0');
    for (const each of fresh) {
      ip('host', 'addr', 'add', each, 'dev', 'up0', ...(each.includes(':') ? ['nodad'] : []));
    }
    ip('host', 'route', 'replace', 'default', 'via', '192.0.2.1');
    ip('host', '-6', 'route', 'replace', 'default', 'via', '2001:db8:a4::1');
  }

  async function enter(namespace: number): Promise<void> {
    const { setns, errno } = await libc();
    if (setns(namespace, CLONE_NEWNET) !== 0) throw new Error(`setns: ${errno()}`);
    closeSync(namespace);
  }

  function endpoint(more: Partial<Endpoint> = {}): Endpoint {
    return {
      ...{ box: '1'.repeat(64), names: ['web'], network, ports: [] },
      ...{ address: '10.89.1.2', address6: BOX, mac: MAC, ...more },
    };
  }

  async function start(has: Endpoint): Promise<Guest> {
    const tap = await attachWhole(networks, has);
    const guest = await Guest.start(at(`guest${has.mac.slice(-1)}`), tap, {
      ...{ ...has, mtu: has.network.mtu, prefixLength: 24, gateway: has.network.gateway },
    });
    guests.push(guest);
    return guest;
  }
  const tcp = async (from: Send, address: string, port: number): Promise<string> => {
    const answer = await from('tcp', { address, port, send: '01' });
    return /^([0-9a-f]{2})+$/.test(answer) ? Buffer.from(answer, 'hex').toString() : answer;
  };

  it('leads out to the world, as the host, and neither to the host nor to metadata', async () => {
    const guest = await start(endpoint());
    expect(await tcp(guest.send, OUTSIDE, 80)).toBe(HOST);
    const answer = await guest.send('datagram', { address: OUTSIDE, port: 9000, length: 6000 });
    expect(Buffer.from(answer, 'hex').toString()).toBe('6000');
    for (const address of [HOST, METADATA]) {
      expect(await tcp(guest.send, address, 80)).toEqual(UNREACHABLE);
    }
  });

  it('leads out after the host has got other addresses', async () => {
    const guest = await start(endpoint());
    const out = async (): Promise<string[]> => [
      await tcp(guest.send, OUTSIDE, 80),
      await tcp(guest.send, '192.0.2.1', 80),
    ];
    await world('serveTcp', { address: '192.0.2.1', port: 80 });
    expect(await out()).toEqual([HOST, '192.0.2.2']);
    move(['192.0.2.2/24', `${HOST}/64`], ['192.0.2.3/24', `${OTHER_HOST}/64`]);
    try {
      expect(await out()).toEqual([OTHER_HOST, '192.0.2.3']);
    } finally {
      move(['192.0.2.3/24', `${OTHER_HOST}/64`], ['192.0.2.2/24', `${HOST}/64`]);
    }
    expect(await out()).toEqual([HOST, '192.0.2.2']);
  });

  it('leads out of the network that a box has to itself after the host has got other addresses', async () => {
    const [outside, resolver] = ['192.0.2.1', GUEST_NETWORK.nameserver];
    await world('serveTcp', { address: outside, port: 8085 });
    await world('serveUdp', { address: outside, port: 9001 });
    const { address, gateway } = GUEST_NETWORK;
    const own = { id: BRIDGE.id, subnet: '10.0.2.0/24', gateway, internal: false, mtu: 1500 };
    const limited = await start({
      ...{ box: '1'.repeat(64), names: ['own'], network: own, ports: [], address, mac: MAC },
      ...{ resolver, egress: limits([`allow:${outside}`], resolver) },
    });
    // Without a policy it is behind passt.
    const passt = at('passt');
    mkdirSync(passt);
    const identity = identityFor(0, 0, []);
    await prepareDirectory(passt, identity);
    await startPasst({ ports: [] }, passt, identity, AbortSignal.timeout(60_000));
    const nic = await FakeGuestNic.attach(passtSocket(passt));
    let port = 40_000;
    const out = async (): Promise<string[]> => {
      const answer = nic.incomingUdp();
      port += 1;
      nic.sendUdp(outside, 9001, port, 'four');
      return [await tcp(limited.send, outside, 8085), await answer];
    };
    const answered = (from: string): string[] => [from, `${address}:${port} 4`];
    expect(await out()).toEqual(answered('192.0.2.2'));
    move(['192.0.2.2/24', `${HOST}/64`], ['192.0.2.3/24', `${OTHER_HOST}/64`]);
    try {
      expect(await out()).toEqual(answered('192.0.2.3'));
    } finally {
      move(['192.0.2.3/24', `${OTHER_HOST}/64`], ['192.0.2.2/24', `${HOST}/64`]);
    }
    nic.detach();
    await endProcesses(passt);
  });

  it('takes no IPv4 address in the form of IPv6, by which sockets of the host reach IPv4', async () => {
    const guest = await start(endpoint());
    for (const to of ['::ffff:7f00:1', '::ffff:c000:202', '::7f00:1', '::']) {
      guest.frame(udp6Frame(9000, { from: BOX, to, mac: MAC, toMac: GATEWAY_MAC }));
    }
    // What comes behind all of them comes through.
    expect(await guest.send('datagram', { address: OUTSIDE, port: 9000, length: 1 })).toBe('31');
    expect(await host('takeHeard')).toEqual([]);
  });

  it('publishes ports at IPv6 addresses of the host, beside those of IPv4', async () => {
    const port = (hostIp: string, hostPort: number, protocol: 'tcp' | 'udp' = 'tcp') => ({
      ...{ hostIp, hostPort, boxPort: 80, protocol },
    });
    const ports = [port('::1', 8080), port(HOST, 8081), port('192.0.2.2', 8080)];
    const guest = await start(endpoint({ ports: [...ports, port(HOST, 8082, 'udp')] }));
    await guest.send('serveTcp', { address: '::', port: 80 });
    await guest.send('serveUdp', { address: '::', port: 80 });
    const gateway = network.ipv6.gateway;
    expect(await tcp(host, '::1', 8080)).toBe(gateway);
    expect(await tcp(world, HOST, 8081)).toBe(gateway);
    expect(await tcp(world, '192.0.2.2', 8080)).toBe(`::ffff:${network.gateway}`);
    expect(await tcp(world, HOST, 8080)).toBe('ECONNREFUSED');
    const answer = await world('datagram', { address: HOST, port: 8082, length: 3 });
    expect(Buffer.from(answer, 'hex').toString()).toBe('3');
    // Killed, and started again.
    const pid = readFileSync(at(`net/${'1'.repeat(64)}.abababababab.pid`), 'utf8');
    process.kill(Number(pid), 'SIGKILL');
    // Its ports are free once it is a zombie, or gone: its memory goes before its sockets.
    await expect.poll(() => hasEnded(Number(pid))).toBe(true);
    await networks.repair();
    expect(await tcp(world, HOST, 8081)).toBe(gateway);
  });

  it('lets the next server take over, whatever was killed with the one before', async () => {
    const web = endpoint({
      ports: [{ hostIp: HOST, hostPort: 8081, boxPort: 80, protocol: 'tcp' }],
    });
    const resolver = network.gateway;
    const db = endpoint({
      ...{ box: '2'.repeat(64), names: ['db'], mac: '02:00:00:00:00:03' },
      ...{ address: '10.89.1.3', address6: 'fd00:89::3' },
      egress: limits([`allow:[${OUTSIDE}]:tcp:80`]),
    });
    const gone = endpoint({
      ...{ box: '3'.repeat(64), names: ['gone'], mac: '02:00:00:00:00:04' },
      ...{ address: '10.89.1.4', address6: 'fd00:89::4' },
    });
    const [inWeb, inDb] = [await start(web), await start(db)];
    await start(gone);
    await inWeb.send('serveTcp', { address: '::', port: 80 });
    const idOf = (name: string): Promise<string> =>
      inDb.send('dns', {
        ...{ server: resolver, message: question(name, { type: AAAA }).toString('hex') },
      });
    const asBefore = async (): Promise<void> => {
      expect(await tcp(world, HOST, 8081)).toBe(network.ipv6.gateway);
      expect(await tcp(inWeb.send, OUTSIDE, 80)).toBe(HOST);
      expect(await tcp(inDb.send, 'fd00:89::2', 80)).toBe('fd00:89::3');
      await expect.poll(() => idOf('web'), { timeout: 10_000 }).toMatch(/fd000089(0{20})0002$/);
      expect(await tcp(inDb.send, OUTSIDE, 80)).toBe(HOST);
      expect(await inDb.send('udp', { address: OUTSIDE, port: 9000, send: '01' })).toEqual(
        UNREACHABLE,
      );
      expect(await tcp(inDb.send, METADATA, 80)).toEqual(UNREACHABLE);
    };
    await asBefore();
    const kept = [web, db].map(({ box, network: { id } }) => ({ box, network: id }));
    for (const killed of [async () => undefined, killAll]) {
      await killed();
      // What a server has is in its files alone.
      networks = server();
      await networks.reconcile(kept);
      await asBefore();
      expect(readdirSync(at('net')).filter((name) => name.startsWith('3'))).toEqual([]);
    }
  });

  it('leaves nothing of a server that is killed at any moment', async () => {
    const ports = [{ hostIp: HOST, hostPort: 8083, boxPort: 80, protocol: 'tcp' } as const];
    const egress = limits([`allow:[${OUTSIDE}]:tcp:80`]);
    const asked = JSON.stringify(endpoint({ ports, egress }));
    for (const afterMs of KILLED_AFTER_MS) {
      const killed = fork(join(import.meta.dirname, 'endless-server.ts'), [at('net'), asked], {
        execArgv: ['--conditions=a3s-source', '--import', 'tsx'],
      });
      await once(killed, 'message');
      await delay(afterMs);
      killed.kill('SIGKILL');
      // It would have ended by itself where it cannot work.
      expect(await once(killed, 'exit')).toEqual([null, 'SIGKILL']);
      await server().reconcile([]);
      // What its programs were about to start meanwhile is gone with the next one.
      await expect
        .poll(
          async () => {
            await networks.reconcile([]);
            return [existsSync(at('net')), processes()];
          },
          { timeout: 20_000 },
        )
        .toEqual([false, []]);
      complaints.splice(0);
    }
    const guest = await start(endpoint({ ports }));
    expect(await tcp(guest.send, OUTSIDE, 80)).toBe(HOST);
  });

  it('asks DNS servers at IPv6 addresses that a box has named', async () => {
    await world('serveDns', { address: OUTSIDE });
    const record = { owner: 'six.example.org', a: '192.0.2.66' };
    await world('setName', { name: record.owner, records: [recordBytes(record).toString('hex')] });
    const { ipv6: _, ...ipv4 } = network;
    const guest = await start(
      endpoint({ nameservers: [OUTSIDE], network: ipv4, address6: undefined }),
    );
    const message = question(record.owner, { type: 1 }).toString('hex');
    for (const tcp of [false, true]) {
      const asks = { server: network.gateway, message, tcp };
      await expect.poll(() => guest.send('dns', asks), { timeout: 10_000 }).toMatch(/c0000242$/);
    }
    expect(await world('takeAsked')).toContain(record.owner);
  });

  it('a box has no way out of an internal network of IPv6', async () => {
    const guest = await start(endpoint({ network: { ...network, internal: true } }));
    expect(await tcp(guest.send, OUTSIDE, 80)).toEqual(UNREACHABLE);
  });

  it('keeps a box’s own router, neighbours and addresses from the others', async () => {
    const [web, db] = [
      await start(endpoint()),
      await start(
        endpoint({
          ...{ box: '2'.repeat(64), names: ['db'], mac: '02:00:00:00:00:03' },
          ...{ address: '10.89.1.3', address6: 'fd00:89::3' },
        }),
      ),
    ];
    await db.send('serveTcp', { address: '::', port: 80 });
    expect(await tcp(web.send, 'fd00:89::3', 80)).toBe(BOX);
    const seen: string[] = [];
    db.watch((frame) => {
      const message = readIcmp6(frame);
      // The router asks whether it has its own address alone, from none: no frame here comes from
      // it.
      if (message === undefined || message.from === NO_ADDRESS) return;
      seen.push(`${message.type} ${message.from}`);
    });
    const send = (type: number, from: string, to: string): void => {
      web.frame(icmp6Frame({ type, from, to, mac: MAC, toMac: GATEWAY_MAC }));
    };
    for (const type of Object.values(OF_NEIGHBOURS)) {
      for (const from of [BOX, 'fe80::1', 'fd00:89::3', 'fd00:89::1']) {
        for (const to of ['ff02::1', 'fd00:89::3', 'fd00:89::1', 'fe80::1']) send(type, from, to);
      }
    }
    for (const from of ['fd00:89::77', 'fd00:89::1', '::1']) send(ECHO, from, 'fd00:89::3');
    // What comes behind all of them comes through.
    send(ECHO, BOX, 'fd00:89::3');
    const last = [`${ECHO} ${address(BOX).toString('hex')}`];
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual(last);
    expect(ip('net/holder', '-6', 'neigh')).not.toContain(FORGED);
    expect(await tcp(web.send, 'fd00:89::3', 80)).toBe(BOX);
    expect(await tcp(web.send, OUTSIDE, 80)).toBe(HOST);
  });
});
