import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  read,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GUEST_NETWORK } from '../../src/engine/network.ts';
import { CniNetworks } from '../../src/networks/cni/cni-networks.ts';
import type { FixedGuest, PodAttachment } from '../../src/networks/cni/pod-networks.ts';
import { makeNamespace, removeNamespace } from '../../src/networks/host/namespace.ts';
import { GATEWAY_MAC } from '../../src/networks/host/routed.ts';
import { formatAddress6 } from '../../src/networks/ipv6.ts';
import { FORGED, icmp6Frame, OF_NEIGHBOURS, udp6Frame } from './frames.ts';

/** Of Debian's containernetworking-plugins. */
const PLUGINS = '/usr/lib/cni';
const [web, db] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];
const MAC = '02:00:0a:59:01:02';
/** What every confidential guest has. */
const GUEST: FixedGuest = GUEST_NETWORK;

describe.runIf(process.geteuid?.() === 0)('the network of pods, by plugins of CNI', () => {
  let root: string;
  let networks: CniNetworks;
  const taps: number[] = [];
  const complaints: unknown[] = [];
  const log = { error: (_: string, error: unknown) => complaints.push(error) };
  const at = (...names: string[]) => join(root, ...names);

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'a3s-cni-'));
    for (const name of ['conf', 'bin']) mkdirSync(at(name));
    await makeNamespace(at('node'));
    // The plugins act on a node that is a namespace of its own.
    for (const name of ['bridge', 'host-local', 'portmap', 'loopback']) {
      script(name, `exec nsenter --net=${at('node')} ${PLUGINS}/${name}`);
    }
    networks = open();
  });
  afterEach(async () => {
    for (const tap of taps.splice(0)) closeSync(tap);
    await networks.reconcile([]);
    expect(readdirSync(at('records'))).toEqual([]);
    expect(readdirSync(at('namespaces'))).toEqual([]);
    await removeNamespace(at('node'));
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(root);
    rmSync(root, { recursive: true });
    complaints.length = 0;
  });

  const open = () =>
    new CniNetworks(
      {
        ...{ config: at('conf'), plugins: at('bin') },
        ...{ records: at('records'), namespaces: at('namespaces') },
      },
      log,
    );
  function script(name: string, text: string): void {
    writeFileSync(at('bin', name), `#!/bin/sh\n${text}\n`);
    chmodSync(at('bin', name), 0o755);
  }
  function configure(...more: object[]): void {
    const ranges = ['10.89.7.0/24', 'fd00:89:7::/64'].map((subnet) => [{ subnet }]);
    const routes = [{ dst: '0.0.0.0/0' }, { dst: '::/0' }];
    configureBridge({ ranges, routes }, {}, ...more);
  }
  function configureBridge(ipam: object, dns: object, ...more: object[]): void {
    const bridge = {
      ...{ type: 'bridge', bridge: 'pods0', isGateway: true, forceAddress: true, mtu: 1400, dns },
      ipam: { type: 'host-local', dataDir: at('ipam'), ...ipam },
    };
    writeList({
      cniVersion: '1.0.0',
      name: 'pods',
      plugins: [{ type: 'loopback' }, bridge, ...more],
    });
  }
  const writeList = (list: object) =>
    writeFileSync(at('conf/10-pods.conflist'), JSON.stringify(list));
  type Ports = { hostPort: number; boxPort: number }[];
  async function attach(pod: string, ports: Ports = [], guest?: FixedGuest) {
    const { tap, joined } = await begin(pod, ports, guest);
    return { tap, ...(await joined) };
  }
  async function begin(pod: string, ports: Ports = [], guest?: FixedGuest) {
    const attached = await networks.attach({
      ...{ pod, name: 'web', namespace: 'default', uid: 'a-b', mac: MAC, guest },
      ports: ports.map((port) => ({ hostIp: '', protocol: 'tcp', ...port })),
    });
    taps.push(attached.tap);
    return attached;
  }
  const onNode = (...command: string[]): string =>
    execFileSync('nsenter', [`--net=${at('node')}`, ...command], { encoding: 'utf8' });
  const inPod = (pod: string, ...command: string[]): string =>
    execFileSync('nsenter', [`--net=${at('namespaces', pod)}`, ...command], { encoding: 'utf8' });
  const leases = () => readdirSync(at('ipam/pods')).filter((name) => /^(10\.|fd)/.test(name));

  it('leads packets of the node to the guest, and from it those of its own address alone', async () => {
    configure();
    const { ipv4, ipv6, addresses, mtu, tap } = await attach(web);
    expect(ipv4).toEqual({ address: '10.89.7.2', prefixLength: 24, gateway: '10.89.7.1' });
    expect(ipv6).toEqual({ address: 'fd00:89:7::2', prefixLength: 64 });
    expect([addresses, mtu]).toEqual([['10.89.7.2', 'fd00:89:7::2'], 1400]);
    // A node that answers with what it was sent, and tells who sent it.
    const program = `const s = require('dgram').createSocket('udp4');
      s.on('message', (m, from) => { console.log(from.address + ' ' + m); s.close(); });
      s.bind(7, '10.89.7.1', () => s.send('hello', 9, '10.89.7.2'));`;
    const node = spawn('nsenter', [`--net=${at('node')}`, process.execPath, '-e', program]);
    const said = once(node.stdout, 'data');
    expect(await received(tap)).toMatchObject({ to: '10.89.7.2', text: 'hello' });
    writeSync(tap, frame({ from: '10.89.7.9', to: '10.89.7.1', text: 'forged' }));
    writeSync(tap, frame({ from: '10.89.7.2', to: '10.89.7.1', text: 'genuine' }));
    expect(String((await said)[0])).toBe('10.89.7.2 genuine\n');
    await once(node, 'close');
  });

  it('leads packets of IPv6 as well, and answers neighbours that ask for the guest’s address', async () => {
    configure();
    const { tap } = await attach(web);
    expect(inPod(web, 'ip', '-6', 'route', 'get', '2001:db8::1')).toContain('via fd00:89:7::1');
    const [own, gateway] = ['fd00:89:7::2', 'fd00:89:7::1'];
    // The node may have its own address when nobody else has claimed it.
    const tentative = () => onNode('ip', '-6', 'addr', 'show', 'dev', 'pods0', 'tentative');
    await expect.poll(tentative, { timeout: 10_000 }).toBe('');
    const program = `const s = require('dgram').createSocket('udp6');
      s.on('message', (m, from) => { console.log(from.address + ' ' + m.length); s.close(); });
      s.bind(7, '${gateway}', () => s.send('hello', 9, '${own}'));`;
    const node = spawn('nsenter', [`--net=${at('node')}`, process.execPath, '-e', program]);
    const said = once(node.stdout, 'data');
    expect(await received6(tap)).toEqual({ to: own, text: 'hello' });
    const route = { to: gateway, mac: MAC, toMac: GATEWAY_MAC };
    const { neighbourAdvertisement: type } = OF_NEIGHBOURS;
    const write = (bytes: Buffer) => writeSync(tap, Buffer.concat([Buffer.alloc(HEADER), bytes]));
    write(udp6Frame(7, { ...route, from: 'fd00:89:7::9' }));
    write(udp6Frame(7, { ...route, from: own, mac: FORGED }));
    write(icmp6Frame({ ...route, type, from: own, about: gateway }));
    write(udp6Frame(7, { ...route, from: own }));
    expect(String((await said)[0])).toBe(`${own} 1\n`);
    await once(node, 'close');
    expect(inPod(web, 'ip', '-6', 'neigh')).not.toContain(FORGED);
    const asked = ['-6', 'neigh', 'show', own, 'dev', 'pods0'] as const;
    const [hardware = ''] = /lladdr \S+/.exec(onNode('ip', ...asked)) ?? [];
    // The node asks again, this time the address itself.
    const probed = ['dev', 'pods0', ...hardware.split(' '), 'nud', 'probe'];
    onNode('ip', '-6', 'neigh', 'change', own, ...probed);
    await expect.poll(() => onNode('ip', ...asked)).toContain('REACHABLE');
  });

  it.each([
    ['another network', '10.89.7', 2],
    ['a network that has the guest’s, as the gateway’s', '10.0.2', 2],
    ['a network that has the guest’s, as its own', '10.0.2', 15],
  ])(
    'translates the addresses of a guest that has its own to those of %s',
    async (_, network, first) => {
      const [gateway, address] = [`${network}.1`, `${network}.${first}`];
      const ranges = [[{ subnet: `${network}.0/24`, rangeStart: address }]];
      // Without a way out: the guest's gateway is nobody's address.
      configureBridge({ ranges }, { nameservers: [gateway] });
      const { addresses, tap } = await attach(web, [], GUEST);
      expect(addresses).toEqual([address]);
      const isForeign = address !== GUEST.address;
      if (network !== '10.0.2') onNode('ip', 'route', 'add', '10.0.2.15', 'via', address);
      // A node that asks the guest's address too, where it is not the pod's.
      const program = `const s = require('dgram').createSocket('udp4');
        const all = [];
        const server = require('dgram').createSocket('udp4');
        const got = (m, from) => { console.log(from.address + ' ' + m); };
        s.on('message', got); server.on('message', got); server.bind(53, '${gateway}');
        s.bind(7, '${gateway}', () => {
          ${isForeign ? "s.send('direct', 9, '10.0.2.15');" : ''}
          s.send('hello', 9, '${address}');
        });`;
      const node = spawn('nsenter', [`--net=${at('node')}`, process.execPath, '-e', program]);
      const said = createInterface(node.stdout)[Symbol.asyncIterator]();
      const question = { from: gateway, to: GUEST.address, text: 'hello' };
      expect(await received(tap)).toEqual(question);
      const neighbour = onNode('ip', 'neigh', 'show', GUEST.address);
      if (isForeign) expect(neighbour).not.toContain('lladdr');
      writeSync(tap, frame({ from: '10.0.2.99', to: gateway, text: 'forged' }));
      writeSync(tap, frame({ from: GUEST.address, to: gateway, text: 'genuine' }));
      expect((await said.next()).value).toBe(`${address} genuine`);
      const { nameserver } = GUEST;
      writeSync(tap, frame({ from: GUEST.address, to: nameserver, port: 53, text: 'name' }));
      expect((await said.next()).value).toBe(`${address} name`);
      node.kill();
      await once(node, 'close');
      expect(await gatewayOf(tap)).toBe('9a:55:9a:55:9a:55');
      if (isForeign) {
        writeSync(tap, frame({ from: GUEST.address, to: address, text: 'myself' }));
        const back = { from: GUEST.gateway, to: GUEST.address, text: 'myself' };
        expect(await received(tap)).toEqual(back);
      }
      await networks.reconcile([web]);
      expect(complaints).toEqual([]);
    },
  );

  it('publishes ports by the plugin that can, and refuses them where none can', async () => {
    configure();
    const port = { hostPort: 8080, boxPort: 80 };
    await expect(attach(web, [port])).rejects.toMatchObject({ code: 'unsupported-option' });
    configure({ type: 'portmap', capabilities: { portMappings: true }, snat: false });
    await attach(web, [port]);
    expect(onNode('iptables-save', '-t', 'nat')).toContain('--to-destination 10.89.7.2:80');
    await networks.detach(web);
    expect(onNode('iptables-save', '-t', 'nat')).not.toContain('10.89.7.2');
  });

  it('gives back addresses: at the end, after a failed ADD, and after a reboot', async () => {
    configure();
    await attach(web);
    expect(leases()).toEqual(['10.89.7.2', 'fd00:89:7::2']);
    await networks.detach(web);
    expect(leases()).toEqual([]);
    script(
      'broken',
      `cat >/dev/null; [ $CNI_COMMAND = ADD ] || exit 0
      echo '{"code": 11, "msg": "not now", "details": "try again"}'; exit 1`,
    );
    configure({ type: 'broken' });
    await expect(attach(web)).rejects.toMatchObject({
      code: 'network-failed',
      message: 'The CNI plugin broken failed at ADD: not now: try again',
    });
    expect(leases()).toEqual([]);
    configure();
    await attach(db);
    // The namespaces of a host end with it.
    await removeNamespace(at('namespaces', db));
    networks = open();
    await networks.reconcile([]);
    expect([leases(), complaints]).toEqual([[], []]);
  });

  it('opens the tap device before the plugins are through, and takes no pod out before that', async () => {
    script('slow', `cat >/dev/null; while [ ! -e ${at('go')} ]; do sleep 0.05; done; exit 3`);
    configure({ type: 'slow' });
    const { joined } = await begin(web);
    const leaving = networks.detach(web);
    expect(inPod(web, 'ip', '-o', 'link', 'show', 'tap0')).toContain('tap0');
    writeFileSync(at('go'), '');
    await expect(joined).rejects.toMatchObject({ code: 'network-failed' });
    // DEL is asked of the plugin as well, which fails.
    await expect(leaving).rejects.toMatchObject({ code: 'network-failed' });
    script('slow', 'cat >/dev/null');
    await networks.detach(web);
    expect(leases()).toEqual([]);
  });

  it('keeps a pod that could not be taken out, and takes it out the next time', async () => {
    script(
      'stuck',
      `cat >/dev/null; [ $CNI_COMMAND = DEL ] && [ -e ${at('stuck')} ] && exit 7
      echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.89.8.5/32"}]}'`,
    );
    writeList({
      cniVersion: '1.0.0',
      name: 'pods',
      plugins: [{ type: 'loopback' }, { type: 'stuck' }],
    });
    writeFileSync(at('stuck'), '');
    // The plugin has made no device, so that the pod cannot be led to it.
    await expect(attach(web)).rejects.toMatchObject({ code: 'network-failed' });
    expect(complaints).toMatchObject([{ message: expect.stringContaining('failed at DEL') }]);
    await expect(networks.detach(web)).rejects.toMatchObject({ code: 'network-failed' });
    rmSync(at('stuck'));
    await networks.detach(web);
    expect(readdirSync(at('records'))).toEqual([]);
  });

  it('takes over the pods of an earlier server, and checks them', async () => {
    configure();
    await attach(web);
    await attach(db);
    writeFileSync(at('records', `${db}.json.new`), '{');
    networks = open();
    await networks.reconcile([web]);
    expect([leases(), complaints]).toEqual([['10.89.7.2', 'fd00:89:7::2'], []]);
    expect(existsSync(at('namespaces', db))).toBe(false);
    inPod(web, 'ip', 'addr', 'flush', 'dev', 'eth0');
    await networks.reconcile([web]);
    expect(complaints).toMatchObject([
      { message: expect.stringContaining('bridge failed at CHECK') },
    ]);
  });

  it('asks plugins of 1.1.0 whether they are ready, and to forget all other pods', async () => {
    script(
      'new',
      `cat >> ${at('calls')}; echo " $CNI_COMMAND" >> ${at('calls')}
      [ $CNI_COMMAND = STATUS ] && [ -e ${at('down')} ] && echo '{"code": 50, "msg": "no way"}' && exit 1
      exit 0`,
    );
    writeList({ cniVersion: '1.1.0', name: 'pods', plugins: [{ type: 'new' }] });
    expect(await networks.readiness()).toEqual({ ready: true, reason: '', message: '' });
    writeFileSync(at('down'), '');
    expect(await networks.readiness()).toEqual({
      ...{ ready: false, reason: 'NetworkUnusable' },
      message: 'The CNI plugin new failed at STATUS: no way',
    });
    mkdirSync(at('records'), { recursive: true });
    mkdirSync(at('namespaces'), { recursive: true });
    await networks.reconcile([web]);
    const calls = readFileSync(at('calls'), 'utf8').trim().split('\n');
    expect(calls.map((line) => line.split(' ').at(-1))).toEqual(['STATUS', 'STATUS', 'GC']);
    expect(calls[2]).toContain(
      `"cni.dev/valid-attachments":[{"containerID":"${web}","ifname":"eth0"}]`,
    );
  });

  it.each([
    ['no file', undefined, 'NetworkNotConfigured', 'no configuration of CNI is in'],
    ['what is no JSON', '{', 'NetworkUnusable', 'it is not JSON'],
    ['no plugin', '{"cniVersion":"1.0.0","name":"a","plugins":[]}', 'NetworkUnusable', 'plugins: '],
    ['a list', '[]', 'NetworkUnusable', 'expected object, received array'],
    [
      'an old version',
      '{"cniVersion":"0.2.0","name":"a","type":"b"}',
      'NetworkUnusable',
      'cniVersion: ',
    ],
    [
      'a path',
      '{"cniVersion":"1.0.0","name":"a","type":"../sh"}',
      'NetworkUnusable',
      'plugins.0.type: ',
    ],
    [
      'a missing plugin',
      '{"cniVersion":"1.0.0","name":"a","type":"b"}',
      'NetworkUnusable',
      'the plugin b is not in',
    ],
  ])('refuses to be ready with %s as its configuration', async (_, text, reason, message) => {
    for (const name of ['records', 'namespaces']) mkdirSync(at(name));
    if (text !== undefined) writeFileSync(at('conf/10-a.conf'), text);
    expect(await networks.readiness()).toMatchObject({
      ...{ ready: false, reason },
      message: expect.stringContaining(message),
    });
    if (text === undefined) expect(await networks.isConfigured()).toBe(false);
    else
      await expect(networks.isConfigured()).rejects.toMatchObject({ code: 'network-unavailable' });
  });
});

/** `struct virtio_net_hdr`, as the tap device has it before each frame. */
const HEADER = 10;

const mac = (address: string) => Buffer.from(address.replaceAll(':', ''), 'hex');
const parts = (dotted: string) => dotted.split('.').map(Number);
const dotted = (bytes: Buffer) => [...bytes].join('.');

/** The next frame of a kind that comes to the guest, without its header. */
async function nextFrame(tap: PodAttachment['tap'], kind: number): Promise<Buffer> {
  const buffer = Buffer.alloc(2048);
  for (;;) {
    const { bytesRead } = await promisify(read)(tap, buffer, 0, buffer.length, null);
    if (buffer.readUInt16BE(HEADER + 12) !== kind) continue;
    return buffer.subarray(HEADER + 14, bytesRead);
  }
}

/** The first UDP packet that comes to the guest. */
async function received(tap: PodAttachment['tap']) {
  for (;;) {
    const packet = await nextFrame(tap, 0x800);
    if (packet[9] !== 17) continue;
    const [from, to] = [packet.subarray(12, 16), packet.subarray(16, 20)].map(dotted);
    return { from, to, text: packet.subarray(28, packet.readUInt16BE(2)).toString() };
  }
}

/** The first UDP packet of IPv6 that comes to the guest. */
async function received6(tap: PodAttachment['tap']) {
  for (;;) {
    const packet = await nextFrame(tap, 0x86dd);
    if (packet[6] !== 17) continue;
    const to = formatAddress6(BigInt(`0x${packet.toString('hex', 24, 40)}`));
    return { to, text: packet.subarray(48, 40 + packet.readUInt16BE(4)).toString() };
  }
}

/** The hardware address of the guest's gateway, for which it asks. */
async function gatewayOf(tap: PodAttachment['tap']): Promise<string> {
  const asked = Buffer.from([
    ...[0, 1, 8, 0, 6, 4, 0, 1, ...mac(MAC), ...parts(GUEST.address)],
    ...[0, 0, 0, 0, 0, 0, ...parts(GUEST.gateway)],
  ]);
  const ethernet = [mac('ff:ff:ff:ff:ff:ff'), mac(MAC), Buffer.from([0x08, 0x06])];
  writeSync(tap, Buffer.concat([Buffer.alloc(HEADER), ...ethernet, asked]));
  for (;;) {
    const answer = await nextFrame(tap, 0x806);
    if (dotted(answer.subarray(14, 18)) !== GUEST.gateway) continue;
    return [...answer.subarray(8, 14)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  }
}

/** A UDP packet of the guest, to port 7 unless another is named. */
function frame(packet: { from: string; to: string; text: string; port?: number }): Buffer {
  const { from, to, text, port = 7 } = packet;
  const udp = Buffer.alloc(8);
  udp.writeUInt16BE(9, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(8 + text.length, 4);
  const ip = Buffer.from([
    ...[0x45, 0, 0, 28 + text.length, 0, 0, 0, 0, 64, 17, 0, 0],
    ...[...parts(from), ...parts(to)],
  ]);
  let sum = 0;
  for (let each = 0; each < 20; each += 2) sum += ip.readUInt16BE(each);
  ip.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 10);
  const ethernet = [mac('9a:55:9a:55:9a:55'), mac(MAC), Buffer.from([0x08, 0])];
  return Buffer.concat([Buffer.alloc(HEADER), ...ethernet, ip, udp, Buffer.from(text)]);
}
