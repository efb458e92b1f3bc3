import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  question,
  type ReadReply,
  readReply,
} from '../../src/networks/egress/testing/dns-bytes.ts';
import { attachWhole } from '../../src/networks/host/attach-whole.ts';
import type { Endpoint } from '../../src/networks/host/endpoint.ts';
import { NamespaceNetworks } from '../../src/networks/host/namespace-networks.ts';
import { INSIDE } from '../../src/networks/host/routed.ts';
import { hostAddress } from '../../src/networks/host-address.ts';
import { BRIDGE } from '../../src/networks/predefined.ts';
import { canRun } from './egress/world.ts';

const BUNDLE = join(import.meta.dirname, '../../dist/egress.cjs');
const itAsRoot = it.runIf(await canRun());

let directory: string;
const roots = async (): Promise<readonly string[]> => [];
let networks: NamespaceNetworks;
const complaints: unknown[] = [];
const taps: number[] = [];
const log = { error: (_: string, error: unknown) => complaints.push(error) };

beforeEach(() => {
  const parent = mkdtempSync(join(tmpdir(), 'a3s-limited-'));
  chmodSync(parent, 0o711);
  directory = join(parent, 'net');
  networks = new NamespaceNetworks(directory, log, { bundle: BUNDLE, roots });
});
afterEach(async () => {
  for (const tap of taps.splice(0)) closeSync(tap);
  await networks.reconcile([]);
  expect(existsSync(directory)).toBe(false);
  expect(processes()).toEqual([]);
  rmSync(join(directory, '..'), { recursive: true });
});

/** A box in the network that it has to itself, or in one of others. */
function place(digit: string, network: Endpoint['network'], rules: string[]): Endpoint {
  const isOwn = network.id === BRIDGE.id;
  const resolver = isOwn ? '10.0.2.3' : network.gateway;
  return {
    ...{ box: digit.repeat(64), names: [`box${digit}`], network, ports: [] },
    address: isOwn ? '10.0.2.15' : `10.89.1.${digit}`,
    mac: `02:00:00:00:00:0${digit}`,
    ...(isOwn ? { resolver } : {}),
    egress: {
      ...{ uid: 0x7a36_2222, resolvers: [resolver], upstreams: [resolver], namesBoxes: !isOwn },
      ...{ policies: [{ of: 'box', default: 'deny', rules }], ownSubnets: [] },
    },
  };
}
const own = {
  ...{ id: BRIDGE.id, subnet: '10.0.2.0/24', gateway: '10.0.2.2' },
  ...{ internal: false, mtu: 65_520 },
};
const shared = { ...own, id: 'ab'.repeat(32), subnet: '10.89.1.0/24', gateway: '10.89.1.1' };
const namespaceOf = ({ box, network }: Endpoint): string =>
  join(directory, `${box}.${network.id.slice(0, 12)}`);

/** The programs that have a path of these networks in their command lines. */
function processes(): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (!args.some((arg) => arg.startsWith(directory))) return [];
      return [(/[^/]*$/.exec(args[0] ?? '')?.[0] ?? '').replace(/\..*/, '')];
    } catch {
      return [];
    }
  });
}
async function killAll(): Promise<void> {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (args.some((arg) => arg.startsWith(directory))) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
  // One that was killed and has not run since would be taken for one that runs.
  await expect.poll(processes).toEqual([]);
}
/** What the namespace's own socket reaches, by the way that the guest's packets go. */
async function reach(of: Endpoint, address: string, port: number): Promise<string> {
  const script = `const socket = require('node:net').connect(${port}, '${address}');
    socket.on('data', (data) => { console.log(String(data)); process.exit(); });
    socket.on('error', (error) => { console.log(error.code); process.exit(); });
    setTimeout(() => process.exit(), 5000);`;
  const args = [`--net=${namespaceOf(of)}`, process.execPath, '-e', script];
  return await new Promise((resolve, reject) => {
    execFile('nsenter', args, (error, out) => (error ? reject(error) : resolve(out.trim())));
  });
}

itAsRoot(
  'leads out of a network that a limited box has to itself, by a way of its own',
  async () => {
    const host = (await hostAddress()) ?? '';
    const server = createServer((client) => client.end('reached'));
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as { port: number };
    const box = place('1', own, [`allow:${host}`]);
    const ask = () => reach(box, host, port);
    taps.push(await attachWhole(networks, box));
    expect(processes().sort()).toEqual(['bwrap', 'node', 'pasta']);
    expect(await ask()).toBe('reached');
    await killAll();
    await networks.repair();
    expect(processes().sort()).toEqual(['bwrap', 'node', 'pasta']);
    expect(await ask()).toBe('reached');
    expect(complaints).toEqual([]);
    await networks.detach(box.box);
    expect(existsSync(directory)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
  },
);

itAsRoot('keeps limits of boxes in shared networks over the end of a server', async () => {
  const limited = place('2', shared, ['allow:*.example.org']);
  const { egress: _, ...free } = place('3', shared, []);
  for (const box of [limited, free]) taps.push(await attachWhole(networks, box));
  const all = ['aardvark-dns', 'bwrap', 'node', 'pasta'];
  expect(processes().sort()).toEqual(all);
  await killAll();
  networks = new NamespaceNetworks(directory, log, { bundle: BUNDLE, roots });
  const kept = [limited, free].map(({ box, network }) => ({ box, network: network.id }));
  await networks.reconcile(kept);
  expect(processes().sort()).toEqual(all);
  const nft = (of: Endpoint) =>
    execFileSync('nsenter', [`--net=${namespaceOf(of)}`, 'nft', 'list', 'tables'], {
      encoding: 'utf8',
    });
  expect(nft(limited)).toContain('table inet egress');
  expect(nft(free)).not.toContain('table inet egress');
  // Other ports of a box leave its limits as they are.
  await networks.publish(limited);
  expect(nft(limited)).toContain('table inet egress');
  expect(await networks.refusals()).toEqual([]);
  expect(complaints).toEqual([]);
});

/** What the program of a namespace answers to a question for the address of a name. */
async function lookUp(of: Endpoint, name: string): Promise<ReadReply> {
  const script = `const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (answer) => { console.log(answer.toString('hex')); process.exit(); });
    socket.send(Buffer.from('${question(name).toString('hex')}', 'hex'), 5353, '${INSIDE}');
    setTimeout(() => process.exit(), 20000);`;
  const args = [`--net=${namespaceOf(of)}`, process.execPath, '-e', script];
  const answer = await new Promise<string>((resolve, reject) => {
    execFile('nsenter', args, (error, out) => (error ? reject(error) : resolve(out.trim())));
  });
  return readReply(Buffer.from(answer, 'hex'));
}

itAsRoot(
  'finds boxes of the network by names without a dot, and nothing else by them',
  async () => {
    const [limited, other] = [place('2', shared, []), place('3', shared, [])];
    for (const box of [limited, { ...other, names: ['box3', '_db'] }]) {
      taps.push(await attachWhole(networks, box));
    }
    for (const name of ['box3', '_db', 'BOX3']) {
      expect(await lookUp(limited, name)).toMatchObject({ rcode: 0, addresses: ['10.89.1.3'] });
    }
    for (const name of ['nobody', 'localhost', 'box3.example']) {
      expect(await lookUp(limited, name)).toMatchObject({ rcode: 3, addresses: [] });
    }
  },
);

itAsRoot(
  'leaves a shared network to the boxes in it when the last limited box of its own goes',
  async () => {
    const [alone, other] = [place('1', own, []), place('2', shared, [])];
    for (const box of [alone, other]) taps.push(await attachWhole(networks, box));
    await networks.detach(other.box);
    expect(processes().sort()).toEqual(['bwrap', 'node', 'pasta']);
    expect(existsSync(join(directory, 'holder'))).toBe(false);
    await networks.detach(alone.box);
    expect(existsSync(directory)).toBe(false);
  },
);

itAsRoot('puts no box into a network whose limits cannot be served', async () => {
  networks = new NamespaceNetworks(directory, log, { bundle: '/nowhere/egress.cjs', roots });
  await expect(attachWhole(networks, place('1', own, []))).rejects.toMatchObject({
    code: 'network-failed',
    message: expect.stringContaining('/nowhere/egress.cjs'),
    remedy: expect.stringContaining('Install'),
  });
  expect(existsSync(directory)).toBe(false);
});
