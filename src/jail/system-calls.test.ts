import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { converterIdentity } from './identity.ts';
import { jailFeatures, spawnInJail } from './spawn.ts';
import {
  CHECKED_CALLS,
  type FilterOptions,
  OTHERS_CALLS,
  REFUSED_CALLS,
  systemCallFilter,
} from './system-calls.ts';

const { namespaces } = await jailFeatures();
const canFilter = namespaces && process.arch === 'x64';
const X86_64 = 0xc000_003e;
const [ALLOW, KILL, REFUSE, UNKNOWN] = [0x7fff_0000, 0x8000_0000, 0x0005_0001, 0x0005_0026];

/** What the kernel's interpreter of classic BPF would return. */
function decide(number: number, argument = 0, architecture = X86_64, third = 0): number {
  return decideAll(number, [argument, 0, third], { architecture });
}

function decideAll(
  number: number,
  args: readonly number[],
  { architecture = X86_64, ...options }: Partial<FilterOptions> & { architecture?: number } = {},
): number {
  const filter = systemCallFilter({ memoryFiles: true, ...options });
  const data = new Map([
    [0, number],
    [4, architecture],
    ...Array.from({ length: 6 }, (_, n) => [
      [16 + 8 * n, (args[n] ?? 0) % 2 ** 32] as const,
      [20 + 8 * n, Math.floor((args[n] ?? 0) / 2 ** 32)] as const,
    ]).flat(),
  ]);
  let loaded = 0;
  for (let at = 0; ; at += 1) {
    const code = filter.readUInt16LE(at * 8);
    const [ifTrue, ifFalse] = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)];
    const value = filter.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return value;
    if (code === 0x20) loaded = data.get(value) ?? Number.NaN;
    if (code === 0x15) at += loaded === value ? ifTrue : ifFalse;
    if (code === 0x35) at += loaded >= value ? ifTrue : ifFalse;
    if (code === 0x45) at += (loaded & value) !== 0 ? ifTrue : ifFalse;
  }
}

describe('the filter of system calls', () => {
  it('refuses each call of its list by the number that the kernel has for it', () => {
    const table = readFileSync(
      join(import.meta.dirname, '../../native/agent/seccomp/syscalls_amd64.txt'),
      'utf8',
    );
    for (const [name, number] of Object.entries({
      ...{ ...REFUSED_CALLS, ...OTHERS_CALLS, ...CHECKED_CALLS },
    })) {
      expect(table).toContain(`\n${name} ${number} `);
    }
    for (const number of Object.values(REFUSED_CALLS)) expect(decide(number)).toBe(REFUSE);
    expect(decide(CHECKED_CALLS.chroot)).toBe(REFUSE);
  });

  it('allows what is on no list, threads, and sockets of Unix and IP', () => {
    const [read, openat, futex] = [0, 257, 202];
    for (const number of [read, openat, futex]) expect(decide(number)).toBe(ALLOW);
    expect(decide(CHECKED_CALLS.clone, 0x003d_0f00)).toBe(ALLOW);
    expect(decide(CHECKED_CALLS.clone, 0x1000_0000)).toBe(REFUSE);
    expect(decide(CHECKED_CALLS.clone3)).toBe(UNKNOWN);
    const families = Array.from({ length: 46 }, (_, family) => family);
    const allowed = families.filter((family) => decide(CHECKED_CALLS.socket, family) === ALLOW);
    expect(allowed).toEqual([1, 2, 10]);
    const pairs = families.filter((family) => decide(CHECKED_CALLS.socketpair, family) === ALLOW);
    expect(pairs).toEqual([1]);
  });

  it('keeps a program among others from signals, priorities and limits of theirs', () => {
    const among = (number: number, ...args: number[]) =>
      decideAll(number, args, { memoryFiles: false, amongOthers: true });
    for (const number of Object.values(OTHERS_CALLS)) {
      expect([decide(number), among(number)]).toEqual([ALLOW, REFUSE]);
    }
    const { prlimit64, fcntl, ioctl, chroot } = CHECKED_CALLS;
    const [nofile, fsize, pointer] = [7, 1, 4096];
    expect(among(prlimit64, 0, nofile, pointer)).toBe(ALLOW);
    expect(among(prlimit64, 0, fsize, pointer)).toBe(REFUSE);
    expect(among(prlimit64, 4711, nofile)).toBe(REFUSE);
    // F_SETFL, F_SETOWN, F_SETOWN_EX; FIONBIO, FIOSETOWN, SIOCSPGRP.
    expect([4, 8, 15].map((command) => among(fcntl, 3, command))).toEqual([ALLOW, REFUSE, REFUSE]);
    expect([0x5421, 0x8901, 0x8902].map((request) => among(ioctl, 3, request))).toEqual([
      ...[ALLOW, REFUSE, REFUSE],
    ]);
    expect([decide(fcntl, 3), decide(ioctl, 3)]).toEqual([ALLOW, ALLOW]);
    // What the list refuses without it is refused with it.
    for (const number of [...Object.values(REFUSED_CALLS), chroot]) {
      expect(among(number)).toBe(REFUSE);
    }
    const [read, futex] = [0, 202];
    expect([among(read), among(futex), among(CHECKED_CALLS.socket, 2, 0, 6)]).toEqual([
      ...[ALLOW, ALLOW, ALLOW],
    ]);
  });

  it('allows sockets of TCP and UDP, and of no other protocol', () => {
    const protocols = Array.from({ length: 300 }, (_, protocol) => protocol);
    const inet = (protocol: number) => decide(CHECKED_CALLS.socket, 2, X86_64, protocol);
    expect(protocols.filter((protocol) => inet(protocol) === ALLOW)).toEqual([0, 6, 17]);
    expect(decide(CHECKED_CALLS.socket, 16, X86_64, 0)).toBe(REFUSE);
    const openTreeAttr = 467;
    expect(decide(openTreeAttr)).toBe(REFUSE);
  });

  it('allows no new limit of the length of files, and others', () => {
    const { setrlimit, prlimit64 } = CHECKED_CALLS;
    const [fsize, nproc] = [1, 6];
    expect([fsize, nproc].map((resource) => decideAll(setrlimit, [resource, 9]))).toEqual([
      REFUSE,
      ALLOW,
    ]);
    const set = (resource: number, limit: number) => decideAll(prlimit64, [0, resource, limit]);
    expect(set(fsize, 0)).toBe(ALLOW);
    expect(set(fsize, 9)).toBe(REFUSE);
    expect(set(fsize, 2 ** 32)).toBe(REFUSE);
    expect(set(nproc, 9)).toBe(ALLOW);
  });

  it('allows files in memory, and memory that processes share, only where they are needed', () => {
    const { memfd_create, mmap } = CHECKED_CALLS;
    const [shared, anonymous, withFixed] = [0x01, 0x20, 0x10];
    const map = (flags: number, memoryFiles: boolean) =>
      decideAll(mmap, [0, 4096, 3, flags], { memoryFiles });
    for (const memoryFiles of [true, false]) {
      const expected = memoryFiles ? ALLOW : REFUSE;
      expect(decideAll(memfd_create, [1], { memoryFiles })).toBe(expected);
      expect(map(shared | anonymous, memoryFiles)).toBe(expected);
      expect(map(shared | anonymous | withFixed, memoryFiles)).toBe(expected);
      for (const flags of [shared, anonymous, 0x02 | anonymous]) {
        expect(map(flags, memoryFiles)).toBe(ALLOW);
      }
      expect(decideAll(CHECKED_CALLS.socket, [16], { memoryFiles })).toBe(REFUSE);
    }
  });

  it('allows threads to leave what they share, and namespaces where the program builds them', () => {
    const { unshare, clone, chroot, socket } = CHECKED_CALLS;
    const { mount, umount2, pivot_root, setns, ptrace } = REFUSED_CALLS;
    const builder = { confinesItself: true };
    const [shareFiles, newUser, newTime] = [0x200, 0x1000_0000, 0x80];
    expect([shareFiles, newUser, newTime].map((flags) => decideAll(unshare, [flags]))).toEqual([
      ...[ALLOW, REFUSE, REFUSE],
    ]);
    for (const number of [unshare, clone]) {
      expect(decideAll(number, [newUser], builder)).toBe(ALLOW);
    }
    for (const number of [mount, umount2, pivot_root]) {
      expect(decideAll(number, [], builder)).toBe(ALLOW);
    }
    for (const number of [setns, ptrace, chroot]) {
      expect(decideAll(number, [], builder)).toBe(REFUSE);
    }
    expect(decideAll(chroot, [], { chroots: true })).toBe(ALLOW);
    const [newNetwork, newMounts] = [0x4000_0000, 0x2_0000];
    const joiner = { ...builder, entersNetworks: true };
    expect(decideAll(setns, [5, newNetwork], joiner)).toBe(ALLOW);
    for (const kind of [0, newMounts, newUser, newNetwork | newMounts]) {
      expect(decideAll(setns, [5, kind], joiner)).toBe(REFUSE);
    }
    const [netlink, inet, packet] = [16, 2, 17];
    expect(decideAll(socket, [netlink, 3, 0], builder)).toBe(ALLOW);
    expect(decideAll(socket, [inet, 2, 1], builder)).toBe(ALLOW);
    expect(decideAll(socket, [inet, 3, 255], builder)).toBe(REFUSE);
    expect(decideAll(socket, [packet, 3, 0], builder)).toBe(REFUSE);
  });

  it('ends a program that uses another table of system calls', () => {
    expect(decide(0, 0, 0x4000_0003)).toBe(KILL);
    expect(decide(0x4000_0000)).toBe(KILL);
  });

  it.runIf(canFilter)('lets Node run, and refuses it a socket of the kernel', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'a3s-calls-'));
    const file = join(directory, 'filter');
    writeFileSync(file, systemCallFilter());
    const script = `
      const { networkInterfaces } = require('node:os');
      const { Worker } = require('node:worker_threads');
      try { networkInterfaces(); } catch (error) { console.log(error.info.errno); }
      const server = require('node:net').createServer().listen(0, '127.0.0.1', () => {
        server.close();
        new Worker('console.log("works")', { eval: true });
      });`;
    const child = await spawnInJail({
      ...{ path: process.execPath, args: ['-e', script], identity: converterIdentity() },
      stdio: ['ignore', 'pipe', 'ignore', openSync(file, 'r')],
      ...{ writable: [], readable: process.execPath.startsWith('/usr/') ? [] : [process.execPath] },
      ...{ network: true, systemCalls: 3, outlives: false, limits: { openFiles: 512 } },
    });
    const said = child.stdout === null ? '' : await text(child.stdout);
    rmSync(directory, { recursive: true });
    expect(said).toBe('1\nworks\n');
  });
});
