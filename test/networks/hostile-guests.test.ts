import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as otherWork } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { question } from '../../src/networks/egress/testing/dns-bytes.ts';
import { attachWhole } from '../../src/networks/host/attach-whole.ts';
import type { Endpoint } from '../../src/networks/host/endpoint.ts';
import { NamespaceNetworks } from '../../src/networks/host/namespace-networks.ts';
import { GATEWAY_MAC } from '../../src/networks/host/routed.ts';
import { hostAddress } from '../../src/networks/host-address.ts';
import { itInSoak } from '../e2e/it-where.ts';
import { SOAK } from '../e2e/soak.ts';
import { canRun } from './egress/world.ts';
import {
  ARP,
  arpFrame,
  BROADCAST,
  FORGED,
  icmp6Frame,
  OF_NEIGHBOURS,
  readUdp4,
  udp4Frame,
} from './frames.ts';
import { Guest } from './guest.ts';

const FLOWS = SOAK ? 1_000_000 : 20_000;
/** Of a box at a time. */
const MAX_FLOWS = 4096;
/** Those that have expired, after half a minute, are in the table for up to another minute. */
const MAX_TRACKED = 4 * MAX_FLOWS;
const MAX_PEERS = 256;
/** In one network. */
const BOXES = 200;
/** Of all that is sent, or of all boxes. */
const LONG_MS = 900_000;
/** Frames that are sent before others have a turn. */
const GROUP = 200;

const network = {
  ...{ id: 'ab'.repeat(32), subnet: '10.89.0.0/16', gateway: '10.89.0.1' },
  ...{ internal: false, mtu: 1500 },
};
const HOSTILE = { digit: '2', address: '10.89.0.2', mac: '02:00:00:00:00:02' };
const VICTIM = { digit: '3', address: '10.89.0.3', mac: '02:00:00:00:00:03' };
const OTHER = { digit: '4', address: '10.89.0.4', mac: '02:00:00:00:00:04' };
const EVERYBODY = ['255.255.255.255', '10.89.255.255'];
const [NTP, DNS, DHCP_SERVER, DHCP_CLIENT, LAST] = [123, 53, 67, 68, 9];

const roots = async (): Promise<readonly string[]> => [];

describe.runIf(await canRun())('a hostile guest in a network of others', () => {
  let directory = '';
  let networks: NamespaceNetworks;
  let hostile: Guest;
  let victim: Guest;
  const guests: Guest[] = [];
  const complaints: unknown[] = [];
  const log = { error: (_: string, error: unknown) => complaints.push(error) };

  beforeEach(async () => {
    const parent = mkdtempSync(join(tmpdir(), 'a3s-hostile-'));
    chmodSync(parent, 0o711);
    directory = join(parent, 'net');
    networks = new NamespaceNetworks(directory, log, { bundle: '/nowhere/egress.cjs', roots });
    hostile = await start({ ...HOSTILE, host: await hostAddress() });
    victim = await start(VICTIM);
  });
  afterEach(async () => {
    for (const guest of guests.splice(0)) await guest.close();
    await networks.reconcile([]);
    expect(existsSync(directory)).toBe(false);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(directory);
    expect(complaints).toEqual([]);
    rmSync(join(directory, '..'), { recursive: true });
  });

  async function start({
    digit,
    address,
    mac,
    host,
  }: typeof HOSTILE & { readonly host?: string | undefined }): Promise<Guest> {
    const place: Endpoint = {
      ...{ box: digit.repeat(64), names: [`box${digit}`], network, ports: [], address, mac, host },
    };
    const tap = await attachWhole(networks, place);
    const has = { address, mac, mtu: network.mtu, prefixLength: 16, gateway: network.gateway };
    const guest = await Guest.start(join(directory, '..', `guest${digit}`), tap, has);
    guests.push(guest);
    return guest;
  }
  /** @param of a box, or `holder` */
  const inside = (of: string, ...command: string[]): string => {
    const name = of === 'holder' ? of : `${of.repeat(64)}.abababababab`;
    const args = [`--net=${join(directory, name)}`, ...command];
    return execFileSync('nsenter', args, { encoding: 'utf8' });
  };
  const neighbours = (of: string): string[] =>
    inside(of, 'ip', '-4', 'neigh', 'show', 'nud', 'all')
      .split('\n')
      .filter((line) => line !== '' && !line.includes('NOARP'));
  const tracked = (of: string): number =>
    Number(inside(of, 'sysctl', '-n', 'net.netfilter.nf_conntrack_count'));
  const flood = async (count: number, frame: (n: number) => Buffer): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      hostile.frame(frame(n));
      if (n % GROUP === 0) await otherWork();
    }
  };
  const fromHostile = (ports: { from: number; to: number }, to: string, toMac = GATEWAY_MAC) =>
    udp4Frame(ports, { from: HOSTILE.address, to, mac: HOSTILE.mac, toMac });
  /** What a guest hears in datagrams. */
  const heardBy = (guest: Guest): string[] => {
    const heard: string[] = [];
    guest.watch((frame) => {
      const datagram = readUdp4(frame);
      if (datagram !== undefined) heard.push(`${datagram.from} ${datagram.ports}`);
    });
    return heard;
  };
  const says = async (guest: Guest, address: string): Promise<string> => {
    const answer = await guest.send('tcp', { address, port: 80, send: '01' });
    return Buffer.from(answer, 'hex').toString();
  };
  /** The last byte of the address that the network's DNS server has for a box. */
  const asks = async (guest: Guest, name: string): Promise<string> => {
    const message = question(name, { type: 1 }).toString('hex');
    return (await guest.send('dns', { server: network.gateway, message })).slice(-8);
  };

  it('poisons no table by a flood of ARP, of which others hear nothing', async () => {
    await victim.send('serveTcp', { address: '0.0.0.0', port: 80 });
    const heard: string[] = [];
    victim.watch((frame) => {
      if (frame.readUInt16BE(12) === 0x0806) heard.push(frame.toString('hex', 22, 28));
    });
    const claimed = [network.gateway, VICTIM.address, HOSTILE.address];
    await flood(10_000, (n) => {
      const address = claimed[n % 4] ?? `10.89.${n % 250}.${n % 253}`;
      const [mac, toMac] = [n % 2 ? FORGED : HOSTILE.mac, n % 3 ? BROADCAST : GATEWAY_MAC];
      const operation = n % 5 ? ARP.answer : ARP.request;
      const sender = { address, mac: n % 7 ? FORGED : HOSTILE.mac };
      return arpFrame({ operation, sender, target: `10.89.${n % 200}.${n % 251}`, mac, toMac });
    });
    // Of its own address, about all others.
    await flood(2000, (n) =>
      arpFrame({
        ...{ operation: ARP.request, sender: HOSTILE, target: `10.89.${n % 200}.${n % 251}` },
        ...{ mac: HOSTILE.mac, toMac: BROADCAST },
      }),
    );
    expect(await says(hostile, VICTIM.address)).toBe(HOSTILE.address);
    const router = GATEWAY_MAC.replaceAll(':', '');
    expect(heard.filter((mac) => mac !== router)).toEqual([]);
    for (const of of [HOSTILE.digit, VICTIM.digit, 'holder']) {
      const found = neighbours(of);
      expect(found.join('\n')).not.toContain(FORGED);
      expect(found.length).toBeLessThan(8);
    }
    expect(await asks(victim, 'box2')).toBe('0a590002');
  });

  it('serves nobody addresses, routes or names in place of the network', async () => {
    const [heard, asked] = [heardBy(victim), heardBy(hostile)];
    const frames = [
      // A server of DHCP that offers, to all and to one, by its own address and by the gateway's.
      ...[...EVERYBODY, VICTIM.address].flatMap((to) =>
        [HOSTILE.address, network.gateway].flatMap((from) =>
          [BROADCAST, GATEWAY_MAC, VICTIM.mac].map((toMac) =>
            udp4Frame(
              { from: DHCP_SERVER, to: from === HOSTILE.address ? LAST + 1 : DHCP_CLIENT },
              { from, to, mac: HOSTILE.mac, toMac },
            ),
          ),
        ),
      ),
      // A router, in a network without IPv6.
      icmp6Frame({
        ...{ type: OF_NEIGHBOURS.routerAdvertisement, from: 'fe80::2', to: 'ff02::1' },
        ...{ mac: HOSTILE.mac, toMac: '33:33:00:00:00:01' },
      }),
      // A DNS server, that answers whatever port may have asked the network's.
      ...[network.gateway, VICTIM.address, OTHER.address].flatMap((from) =>
        Array.from({ length: 200 }, (_, n) =>
          udp4Frame(
            { from: DNS, to: 32_768 + n },
            { from, to: VICTIM.address, mac: HOSTILE.mac, toMac: GATEWAY_MAC },
          ),
        ),
      ),
    ];
    for (const frame of frames) hostile.frame(frame);
    // Questions for such servers.
    victim.frame(
      udp4Frame(
        { from: DHCP_CLIENT, to: DHCP_SERVER },
        { from: '0.0.0.0', to: '255.255.255.255', mac: VICTIM.mac, toMac: BROADCAST },
      ),
    );
    // What comes behind all of them comes through.
    hostile.frame(fromHostile({ from: NTP, to: LAST }, VICTIM.address));
    const last = `${HOSTILE.address} ${NTP} ${LAST}`;
    await expect.poll(() => heard, { timeout: 10_000 }).toContain(last);
    const direct = `${HOSTILE.address} ${DHCP_SERVER} ${LAST + 1}`;
    expect(new Set(heard)).toEqual(new Set([direct, last]));
    expect(asked).toEqual([]);
    expect(await asks(victim, 'box2')).toBe('0a590002');
    expect(victim.ip('-4', 'route', 'show', 'default')).toContain(network.gateway);
  });

  const title = `holds a bounded number of connections, of ${FLOWS} that it begins, and leaves others theirs`;
  it(title, { timeout: LONG_MS }, async () => {
    const other = await start(OTHER);
    for (const guest of [victim, other]) {
      await guest.send('serveTcp', { address: '0.0.0.0', port: 80 });
    }
    const open = { address: VICTIM.address, port: 80, send: '01', keep: 'open' };
    const from = Buffer.from(HOSTILE.address).toString('hex');
    expect(await hostile.send('tcp', open)).toBe(from);
    await flood(FLOWS, (n) =>
      fromHostile({ from: 1024 + (n % 60_000), to: 9 + Math.floor(n / 60_000) }, VICTIM.address),
    );
    // One that is counted may be gone from the table already, and is not from the count.
    expect(tracked(HOSTILE.digit)).toBeGreaterThan(MAX_FLOWS / 2);
    for (const of of [HOSTILE.digit, VICTIM.digit, 'holder']) {
      expect(tracked(of)).toBeLessThan(MAX_TRACKED);
    }
    expect(await says(other, VICTIM.address)).toBe(OTHER.address);
    expect(await says(victim, OTHER.address)).toBe(VICTIM.address);
    expect(await hostile.send('again', { keep: 'open', send: '02' })).toBe(from);
  });

  it('leaves others the way out, however many connections it begins', async () => {
    const host = (await hostAddress()) ?? '';
    const server = createServer((client) => client.end('reached'));
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
    const reaches = async (guest: Guest): Promise<string> => {
      const answer = await guest.send('tcp', { address: host, port });
      return Buffer.from(answer, 'hex').toString();
    };
    try {
      const other = await start({ ...OTHER, host });
      expect(await reaches(other)).toBe('reached');
      await flood(20_000, (n) => fromHostile({ from: 1024 + n, to: LAST }, host));
      expect(await reaches(other)).toBe('reached');
      expect(await asks(other, 'box2')).toBe('0a590002');
    } finally {
      server.close();
    }
  });

  it('takes a bounded part of the table of neighbours, which all of the host share', async () => {
    await flood(4000, (n) =>
      fromHostile({ from: 5000, to: LAST }, `10.89.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`),
    );
    expect(neighbours(HOSTILE.digit).length).toBeGreaterThan(MAX_PEERS / 2);
    expect(neighbours(HOSTILE.digit).length).toBeLessThan(MAX_PEERS + 8);
    await hostile.send('serveTcp', { address: '0.0.0.0', port: 80 });
    expect(await says(victim, HOSTILE.address)).toBe(VICTIM.address);
  });

  itInSoak(`lives with ${BOXES} boxes in one network`, { timeout: LONG_MS }, async () => {
    const digitsOf = (n: number): string => n.toString(16).padStart(4, '0');
    const addressOf = (n: number): string => `10.89.1.${n}`;
    const taps: number[] = [];
    const numbers = Array.from({ length: BOXES - guests.length }, (_, n) => n + 1);
    try {
      for (const n of numbers) {
        const place = { box: `f${digitsOf(n)}`.padEnd(64, '0'), names: [`many${n}`], network };
        const mac = `02:00:00:00:01:${digitsOf(n).slice(2)}`;
        taps.push(await attachWhole(networks, { ...place, address: addressOf(n), mac, ports: [] }));
      }
      expect(readdirSync(directory).filter((name) => name.endsWith('.abababababab'))).toHaveLength(
        BOXES,
      );
      for (const n of [1, BOXES / 2, numbers.length]) {
        expect(await asks(victim, `many${n}`)).toBe(
          Buffer.from(addressOf(n).split('.').map(Number)).toString('hex'),
        );
      }
      await victim.send('serveTcp', { address: '0.0.0.0', port: 80 });
      expect(await says(hostile, VICTIM.address)).toBe(HOSTILE.address);
    } finally {
      for (const tap of taps) closeSync(tap);
      for (const n of numbers) await networks.detach(`f${digitsOf(n)}`.padEnd(64, '0'));
    }
    expect(await asks(victim, 'many1')).not.toBe('0a590101');
    expect(inside('holder', 'ip', '-br', 'link').match(/^veth/gm)).toHaveLength(guests.length);
  });
});
