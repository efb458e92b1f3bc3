/**
 * A guest of a box without a microVM: a namespace, whose tap device is joined frame by frame to the
 * one that a VMM would hold.
 *
 * @module
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { closeSync, readSync, writeSync } from 'node:fs';
import { cLibrary } from '../../src/c-library.ts';
import { makeNamespace, removeNamespace } from '../../src/networks/host/namespace.ts';
import { GATEWAY_MAC } from '../../src/networks/host/routed.ts';
import { ROUTER6 } from '../../src/networks/host/routed6.ts';
import { openTap } from '../../src/networks/host/tap.ts';
import { type Send, startPeer } from './egress/peer.ts';

const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
/** Bytes that virtio has before each frame. */
const HEADER = 10;
/** Of both ends: the header of virtio, and a frame. */
const BUFFER = Buffer.alloc(70_000);

export interface GuestAddresses {
  readonly mac: string;
  readonly mtu: number;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly address6?: string | undefined;
}

export class Guest {
  readonly #path: string;
  readonly #taps: readonly [number, number];
  readonly #timer: NodeJS.Timeout;
  readonly #peer: ChildProcess;
  readonly send: Send;
  #watcher: ((frame: Buffer) => void) | undefined;

  private constructor(
    path: string,
    taps: readonly [number, number],
    peer: { child: ChildProcess; send: Send },
  ) {
    this.#path = path;
    this.#taps = taps;
    this.#peer = peer.child;
    this.send = peer.send;
    this.#timer = setInterval(() => {
      carry(taps[1], taps[0]);
      carry(taps[0], taps[1], this.#watcher);
    }, 1);
  }

  /**
   * @param path where its namespace is made
   * @param tap the descriptor that a VMM would have, which it closes
   */
  static async start(path: string, tap: number, has: GuestAddresses): Promise<Guest> {
    await makeNamespace(path);
    const taps = [tap, await openTap(path)] as const;
    const { declare } = await cLibrary();
    const setFlags = declare('int fcntl(int fd, int command, int flags)');
    for (const each of taps) setFlags(each, F_SETFL, O_NONBLOCK);
    const guest = new Guest(path, taps, await startPeer(path));
    guest.#configure(has);
    return guest;
  }

  /** As the agent of a box does. */
  #configure({ mac, mtu, address, prefixLength, gateway, address6 }: GuestAddresses): void {
    this.run(
      'sysctl',
      '-qw',
      'net.ipv6.conf.tap0.accept_ra=0',
      'net.ipv6.conf.tap0.addr_gen_mode=1',
    );
    this.ip('link', 'set', 'tap0', 'address', mac, 'mtu', `${mtu}`, 'up');
    this.ip('addr', 'add', `${address}/${prefixLength}`, 'dev', 'tap0');
    this.ip('route', 'add', 'default', 'via', gateway);
    if (address6 === undefined) return;
    this.ip('addr', 'add', `${address6}/64`, 'dev', 'tap0', 'nodad', 'noprefixroute');
    this.ip('neigh', 'add', ROUTER6, 'lladdr', GATEWAY_MAC, 'dev', 'tap0', 'nud', 'permanent');
    this.ip('-6', 'route', 'add', 'default', 'via', ROUTER6, 'dev', 'tap0', 'onlink');
  }

  ip(...words: string[]): string {
    return this.run('ip', ...words);
  }

  run(...command: string[]): string {
    return execFileSync('nsenter', [`--net=${this.#path}`, ...command], { encoding: 'utf8' });
  }

  /** Puts a frame on the wire as the guest's own kernel would not. */
  frame(bytes: Buffer): void {
    writeSync(this.#taps[0], Buffer.concat([Buffer.alloc(HEADER), bytes]));
  }

  /** Shows each frame that the guest gets from now on. */
  watch(watcher: (frame: Buffer) => void): void {
    this.#watcher = watcher;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const tap of this.#taps) closeSync(tap);
    this.#peer.disconnect();
    await removeNamespace(this.#path);
  }
}

/** Until there is no frame left. A device that is down or gone takes and has none. */
function carry(from: number, to: number, watcher?: (frame: Buffer) => void): void {
  for (;;) {
    try {
      const length = readSync(from, BUFFER);
      watcher?.(Buffer.from(BUFFER.subarray(HEADER, length)));
      writeSync(to, BUFFER, 0, length);
    } catch (error) {
      if (!['EAGAIN', 'EIO', 'EBADFD'].includes((error as NodeJS.ErrnoException).code ?? '')) {
        throw error;
      }
      return;
    }
  }
}
