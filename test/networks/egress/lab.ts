/**
 * A box's namespace as the product limits it, between a guest and a world that are namespaces of
 * their own: no microVM, and nothing of the host's network.
 *
 * @module
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cLibrary } from '../../../src/c-library.ts';
import { parseAnyAddress } from '../../../src/networks/address.ts';
import type { Egress } from '../../../src/networks/egress/egress.ts';
import { stopEgressProgram } from '../../../src/networks/egress/host-program.ts';
import { addressBytes } from '../../../src/networks/egress/program/dns-message.ts';
import {
  question,
  type ReadReply,
  readReply,
  recordBytes,
  type TestRecord,
} from '../../../src/networks/egress/testing/dns-bytes.ts';
import type { Endpoint } from '../../../src/networks/host/endpoint.ts';
import {
  type BoxRefusal,
  ensureEgressProgram,
  limitingRules,
  RefusalReader,
  restartEgressProgram,
} from '../../../src/networks/host/limit-box.ts';
import {
  inNamespace,
  makeNamespace,
  removeNamespace,
  writeSettings,
} from '../../../src/networks/host/namespace.ts';
import { GATEWAY_MAC, loadRules, routeBox } from '../../../src/networks/host/routed.ts';
import { ROUTER6 } from '../../../src/networks/host/routed6.ts';
import { BRIDGE } from '../../../src/networks/predefined.ts';
import { type Send, startPeer } from './peer.ts';

export const GUEST = '10.0.2.15';
export const RESOLVER = '10.0.2.3';
const GATEWAY = '10.0.2.2';
export const GUEST6 = 'fd00:e9::15';
/** Of a box with IPv6. */
export const NETWORK6 = { subnet: 'fd00:e9::/64', gateway: 'fd00:e9::1' };
const MAC = '02:00:0a:00:02:0f';
export const UID = 0x7a36_1234;

export class Lab {
  readonly directory: string;
  readonly namespace: string;
  readonly #bundle: string;
  readonly #children: ChildProcess[] = [];
  #reader = new RefusalReader();
  #endpoint: Endpoint;
  /** The authorities that the host trusts. */
  roots: readonly string[] = [];
  guest: Send = () => Promise.reject(new Error('not open'));
  world: Send = () => Promise.reject(new Error('not open'));

  private constructor(bundle: string, hasIpv6: boolean) {
    this.directory = mkdtempSync(join(tmpdir(), 'a3s-egress-'));
    chmodSync(this.directory, 0o711);
    this.namespace = join(this.directory, 'box');
    this.#bundle = bundle;
    this.#endpoint = {
      ...{ box: '1'.repeat(64), names: ['box'], address: GUEST, mac: MAC, ports: [] },
      network: {
        id: BRIDGE.id,
        subnet: '10.0.2.0/24',
        gateway: GATEWAY,
        internal: false,
        mtu: 1500,
        ...(hasIpv6 ? { ipv6: NETWORK6 } : {}),
      },
      ...(hasIpv6 ? { address6: GUEST6 } : {}),
    };
  }

  /** @param addresses of the world; where one is of IPv6, the box has IPv6 */
  static async open(bundle: string, addresses: readonly string[]): Promise<Lab> {
    const lab = new Lab(
      bundle,
      addresses.some((address) => address.includes(':')),
    );
    try {
      await lab.#connect(addresses);
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  async #connect(addresses: readonly string[]): Promise<void> {
    const [guest, world] = [join(this.directory, 'guest'), join(this.directory, 'world')];
    for (const path of [this.namespace, guest, world]) await makeNamespace(path);
    this.guest = await this.#start(guest);
    this.world = await this.#start(world);
    // A host may have it on, and new namespaces have what their host has.
    await writeSettings(this.namespace, { ipv4: { 'conf/all/accept_source_route': 1 } });
    // ip knows these namespaces by a process in them alone.
    const [inGuest, inWorld] = this.#children.map(({ pid }) => `${pid}`);
    const pair = (name: string, peer: string, pid = ''): void =>
      this.ip('box', ...`link add ${name} type veth peer name ${peer} netns ${pid}`.split(' '));
    pair('tap0', 'eth0', inGuest);
    pair('eth0', 'wan0', inWorld);
    this.ip('box', 'link', 'set', 'eth0', 'up');
    this.ip('guest', 'link', 'set', 'eth0', 'address', MAC, 'up');
    this.ip('guest', 'addr', 'add', `${GUEST}/24`, 'dev', 'eth0');
    this.ip('guest', 'route', 'add', 'default', 'via', GATEWAY);
    this.ip('world', 'link', 'set', 'wan0', 'up');
    this.ip('world', 'addr', 'add', `${GATEWAY}/24`, 'dev', 'wan0');
    for (const address of addresses) {
      const host = address.includes(':') ? [`${address}/128`, 'nodad'] : [`${address}/32`];
      this.ip('world', 'addr', 'add', ...host, 'dev', 'lo');
    }
    if (this.#endpoint.address6 === undefined) return;
    this.ip('world', 'addr', 'add', `${NETWORK6.gateway}/64`, 'dev', 'wan0', 'nodad');
    // As the agent of a box does.
    this.ip('guest', 'addr', 'add', `${GUEST6}/64`, 'dev', 'eth0', 'nodad', 'noprefixroute');
    const router = ['neigh', 'add', ROUTER6, 'lladdr', GATEWAY_MAC, 'dev', 'eth0', 'nud'];
    this.ip('guest', ...router, 'permanent');
    this.ip('guest', '-6', 'route', 'add', 'default', 'via', ROUTER6, 'dev', 'eth0', 'onlink');
  }

  /** Limits the box anew, as at the start of a run. */
  async limit(
    policies: readonly { default?: 'deny' | 'public'; rules: string[]; of?: 'box' | 'network' }[],
    more: Partial<Egress> = {},
  ): Promise<void> {
    await stopEgressProgram(this.namespace);
    this.#reader = new RefusalReader();
    const egress: Egress = {
      ...{ uid: UID, resolvers: [RESOLVER], upstreams: [RESOLVER], namesBoxes: false },
      ...{ ownSubnets: [], ...more },
      policies: policies.map(({ rules, default: byDefault = 'deny', of = 'box' }) => ({
        ...{ rules, of, default: byDefault },
      })),
    };
    const isFirst = this.#endpoint.egress === undefined;
    this.#endpoint = { ...this.#endpoint, egress };
    const limits = limitingRules(this.#endpoint);
    const place = this.#endpoint;
    await loadRules(this.namespace, place, limits);
    if (isFirst) await routeBox(this.namespace, place);
    await ensureEgressProgram(this.namespace, place, this.#program());
  }

  #program() {
    return { bundle: this.#bundle, roots: async () => this.roots };
  }

  /** Starts the program again where it does not run. */
  async serve(): Promise<void> {
    await restartEgressProgram(this.namespace, this.#endpoint, this.#program());
  }

  async refusals(): Promise<BoxRefusal[]> {
    return await this.#reader.read(this.namespace, this.#endpoint);
  }

  /** The program itself, which is the only child of the process that keeps its jail. */
  programPid(): number {
    const keeper = Number(readFileSync(`${this.namespace}.egress.pid`, 'utf8'));
    const children = readFileSync(`/proc/${keeper}/task/${keeper}/children`, 'utf8');
    return Number(children.trim() || keeper);
  }

  /** Has the guest send a packet of any protocol of IP; says whether one comes back. */
  async raw(address: string, protocol: number, bytes: Buffer): Promise<'answered' | 'silent'> {
    const { declare } = await cLibrary();
    const open = declare('int socket(int domain, int type, int protocol)');
    const option = declare('int setsockopt(int fd, int level, int name, uint8_t *value, int size)');
    const sendTo = declare(
      'long sendto(int fd, uint8_t *bytes, size_t size, int flags, uint8_t *to, int length)',
    );
    const receive = declare('long recv(int fd, uint8_t *bytes, size_t size, int flags)');
    const close = declare('int close(int fd)');
    const is6 = address.includes(':');
    const [AF_INET, SOCK_RAW, SOL_SOCKET, SO_RCVTIMEO] = [is6 ? 10 : 2, 3, 1, 20];
    const second = Buffer.from([1, ...Buffer.alloc(15)]);
    const parsed = addressBytes(parseAnyAddress(address) ?? 0);
    // Family, port, and with IPv6 a flow before the address and a scope behind it.
    const to = Buffer.concat([
      Buffer.from([AF_INET, 0, 0, 0, ...(is6 ? [0, 0, 0, 0] : [])]),
      parsed,
      Buffer.alloc(is6 ? 4 : 8),
    ]);
    const answer = Buffer.alloc(2048);
    return await inNamespace(join(this.directory, 'guest'), () => {
      const socket = open(AF_INET, SOCK_RAW, protocol);
      option(socket, SOL_SOCKET, SO_RCVTIMEO, second, second.length);
      sendTo(socket, bytes, bytes.length, 0, to, to.length);
      const length = Number(receive(socket, answer, answer.length, 0));
      close(socket);
      // The kernel keeps the head of IPv6; what comes is an echo reply, or why there is none.
      const isAnswer = is6 ? answer[0] === 129 : answer.subarray(12, 16).equals(parsed);
      return length > 0 && isAnswer ? 'answered' : 'silent';
    });
  }

  ip(of: 'box' | 'guest' | 'world', ...words: string[]): void {
    execFileSync('nsenter', [`--net=${join(this.directory, of)}`, 'ip', ...words]);
  }

  /** A setting of the box's namespace. */
  setting(name: string): string {
    return execFileSync('nsenter', [`--net=${this.namespace}`, 'sysctl', '-n', name], {
      encoding: 'utf8',
    }).trim();
  }

  nft(...words: string[]): string {
    return execFileSync('nsenter', [`--net=${this.namespace}`, 'nft', ...words], {
      encoding: 'utf8',
    });
  }

  /** Has the world's DNS server answer. */
  async name(name: string, records: readonly TestRecord[], more = {}): Promise<void> {
    const bytes = records.map((record) => recordBytes(record).toString('hex'));
    await this.world('setName', { name, records: bytes, ...more });
  }

  async lookUp(
    name: string,
    { server = RESOLVER, ...more }: { type?: number; tcp?: boolean; server?: string } = {},
  ): Promise<ReadReply | string> {
    const message = question(name, { type: more.type ?? 1 }).toString('hex');
    const answer = await this.guest('dns', { server, message, tcp: more.tcp ?? false });
    return /^[0-9a-f]{24,}$/.test(answer) ? readReply(Buffer.from(answer, 'hex')) : answer;
  }

  async close(): Promise<void> {
    await stopEgressProgram(this.namespace);
    for (const child of this.#children) child.disconnect();
    for (const name of ['guest', 'world', 'box']) await removeNamespace(join(this.directory, name));
    rmSync(this.directory, { recursive: true });
  }

  async #start(namespace: string): Promise<Send> {
    const { child, send } = await startPeer(namespace);
    this.#children.push(child);
    return send;
  }
}
