/**
 * A host that controls everything outside of the guest: its boot files, its disks, its inputs, and
 * the VMM. The guest is the real one, agent included.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  open,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { measureOvmf } from '@a3s-box/attestation/measure';
import { type LaunchSpec, launchSpecText } from '@a3s-box/policies';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { connect, type RatlsSession } from '@a3s-box/ratls';
import { type ConfidentialBoot, readBootSet } from '../../../src/boot/bootset.ts';
import { QemuEngine } from '../../../src/engine/qemu/qemu-engine.ts';
import type { Disk } from '../../../src/engine/vm/devices.ts';
import type { Vm } from '../../../src/engine/vm/vm.ts';
import { connectGuest } from '../../../src/guest/connection.ts';
import type { Guest } from '../../../src/guest/guest.ts';
import { diskTree } from '../../../src/images/verity/disk-tree.ts';
import { identityFor } from '../../../src/jail/identity.ts';
import { scaled } from '../time-scale.ts';

const run = promisify(execFile);

/** A guest may take so long for anything: only what hangs does. */
const TIMEOUT_MS = scaled(120_000);
const APPLETS = [
  'sh',
  'cat',
  'date',
  'echo',
  'grep',
  'head',
  'ip',
  'ls',
  'seq',
  'sha256sum',
  'sleep',
  'sync',
];

export const deadline = (): AbortSignal => AbortSignal.timeout(TIMEOUT_MS);
export const sha256 = (bytes: Uint8Array | string): Buffer =>
  createHash('sha256').update(bytes).digest();

/** A layer's disk, and how a launch spec names it. */
export interface HostedLayer {
  readonly path: string;
  readonly named: LaunchSpec['rootfs']['layers'][number];
}

/** What of a launch is the host's to choose: all of it. */
export interface HostedLaunch {
  readonly disks: readonly string[];
  /** HOST_DATA is the digest of it. */
  readonly admitted: string;
  readonly boot?: Partial<ConfidentialBoot>;
  readonly commandLine?: readonly string[];
  /** Where changes go, if not to memory. */
  readonly changes?: string;
  /** Its cards, which lead nowhere; none without them. */
  readonly macs?: readonly string[];
}

export interface Hosted {
  readonly vm: Vm;
  readonly guest: Guest;
}

export class HostileHost {
  readonly root: string;
  /** The files that a relying party knows. */
  readonly boot: ConfidentialBoot;
  readonly #engine: QemuEngine;
  readonly #vms: Vm[] = [];
  readonly #guests: Guest[] = [];
  #made = 0;

  private constructor(root: string, boot: ConfidentialBoot) {
    this.root = root;
    this.boot = boot;
    const cacheFile = join(root, 'home', 'accelerator.json');
    this.#engine = new QemuEngine({ boot: undefined, cacheFile, runtimeDir: root });
  }

  static async open(): Promise<HostileHost> {
    const set = await readBootSet(process.env['A3S_BOOT'] ?? resolve('dist/boot'));
    const { confidential } = set;
    if (confidential === undefined) throw new Error('the boot set has no confidential part');
    // Short, since sockets lie in it.
    const root = await mkdtemp(join(tmpdir(), 'hh-'));
    await chmod(root, 0o711);
    const simulated = join(root, 'home', 'simulated');
    await mkdir(simulated, { recursive: true, mode: 0o700 });
    // Three RSA keys need not be made.
    const state = join(simulated, 'processor.json');
    await copyFile(resolve('test/vectors/simulated/state.json'), state);
    await chmod(state, 0o600);
    return new HostileHost(root, confidential);
  }

  /** busybox and these files, below `/data`; the tree of hashes behind it. */
  async layer(
    name: string,
    files: Readonly<Record<string, Uint8Array>> = {},
  ): Promise<HostedLayer> {
    const tree = join(this.root, `${name}.tree`);
    for (const below of ['bin', 'data', 'proc'])
      await mkdir(join(tree, below), { recursive: true });
    await cp('/usr/bin/busybox', join(tree, 'bin', 'busybox'), { dereference: true });
    for (const applet of APPLETS) await symlink('busybox', join(tree, 'bin', applet));
    for (const [file, bytes] of Object.entries({ name: Buffer.from(name), ...files })) {
      await writeFile(join(tree, 'data', file), bytes);
    }
    const path = join(this.root, name);
    await run('mkfs.erofs', ['-T0', '--all-root', path, tree]);
    const diffId = `sha256:${sha256(name).toString('hex')}`;
    const { bytes, root } = await diskTree({ path, diffId, staging: this.root });
    // The host writes where nobody should.
    await chmod(path, 0o644);
    return { path, named: { diffId, bytes, root } };
  }

  /** Where the sockets of the VM will be that is launched next. */
  nextRuntimeDir(): string {
    return join(this.root, `m${numbered(this.#made + 1)}`);
  }

  /** Starts it, up to an agent that answers; it has no launch spec yet. */
  async launch({ disks, admitted, changes, macs = [], ...other }: HostedLaunch): Promise<Hosted> {
    const runtimeDir = this.nextRuntimeDir();
    this.#made += 1;
    const number = numbered(this.#made);
    await mkdir(runtimeDir);
    const boot = { ...this.boot, ...other.boot };
    const { firmwarePath, kernelPath, initrdPath, vcpuType, policy, commandLines } = boot;
    const layers: Disk[] = disks.map((path, index) => ({
      ...{ path, serial: `layer-${index}`, readonly: true },
    }));
    const kept =
      changes === undefined ? [] : [{ path: changes, serial: 'changes', readonly: false }];
    const [nic, ...moreNics] = macs.map((mac) => ({
      ...{ mac, ports: [], redirectable: true, idle: true },
    }));
    const vm = await this.#engine.launch(
      {
        id: number.repeat(32),
        runtimeDir,
        identity: identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []),
        cpus: 1,
        memoryBytes: 256 * 2 ** 20,
        boot: {
          ...{ kernelPath, initrdPath },
          commandLine: other.commandLine ?? commandLines.simulated,
        },
        disks: [...layers, ...kept],
        ...{ nic, moreNics },
        shares: [],
        confidential: {
          ...{ tee: 'simulated', firmwarePath, vcpuType, policy },
          hostData: new Uint8Array(sha256(admitted)),
          guestStatePath: join(this.root, 'home', `${number}.json`),
        },
      },
      deadline(),
    );
    this.#vms.push(vm);
    const guest = await connectGuest(vm, { signal: deadline(), deadlineMs: TIMEOUT_MS });
    this.#guests.push(guest);
    return { vm, guest };
  }

  /** Starts it, and its main process. */
  async start(launch: HostedLaunch): Promise<Hosted> {
    const hosted = await this.launch(launch);
    await hosted.guest.putLaunchSpec(launch.admitted, { signal: deadline() });
    await hosted.guest.startMain(deadline());
    return hosted;
  }

  /**
   * A session of somebody who relies on the box of this launch spec, booted from the files that he
   * knows.
   */
  async rely({ guest }: Hosted, admitted: string): Promise<RatlsSession> {
    const { firmwarePath, kernelPath, initrdPath, vcpuType, commandLines } = this.boot;
    const measured = measureOvmf({
      vmm: 'qemu',
      ovmf: bytesOf(firmwarePath),
      kernel: bytesOf(kernelPath),
      initrd: bytesOf(initrdPath),
      append: commandLines.simulated.join(' '),
      vcpus: 1,
      vcpuType,
    });
    const policy = parseAttestationPolicy({
      schema: 'a3s-box/attestation-policy/v1',
      tee: 'simulated',
      measurements: [measured.digest],
      hostData: sha256(admitted).toString('hex'),
      crl: { required: false },
    });
    const socket = await guest.ratls(deadline());
    return await connect({ socket, policy, allowSimulated: true, timeout: TIMEOUT_MS });
  }

  /** A file of this content, which the caller may change. */
  async file(name: string, bytes: Uint8Array): Promise<string> {
    const path = join(this.root, name);
    await writeFile(path, bytes);
    return path;
  }

  async endVms(): Promise<void> {
    for (const guest of this.#guests.splice(0)) guest.close();
    await Promise.all(this.#vms.splice(0).map((vm) => vm.kill()));
  }

  async leave(): Promise<void> {
    await this.endVms();
    for (let number = 1; number <= this.#made; number += 1) {
      const name = numbered(number);
      await this.#engine.sweep(name.repeat(32), join(this.root, `m${name}`));
    }
    await rm(this.root, { recursive: true, force: true });
  }
}

function numbered(vm: number): string {
  return vm.toString(16).padStart(2, '0');
}

/** A launch spec of these layers, whose main process is a script. */
export function specOf(
  layers: readonly HostedLayer[],
  script: string,
  changes: LaunchSpec['rootfs']['changes'] = 'memory',
): LaunchSpec {
  return {
    schema: 'a3s-box/launch-spec/v1',
    deployment: '',
    image: { manifestDigest: `sha256:${'a1'.repeat(32)}` },
    hostname: 'box',
    rootfs: { layers: layers.map(({ named }) => named), changes, readonly: false },
    process: {
      args: ['sh', '-c', script],
      env: ['PATH=/bin'],
      cwd: '/',
      user: '',
      terminal: false,
      stdin: false,
    },
    stopSignal: 'SIGTERM',
    network: 'none',
    confinement: {
      capabilities: [],
      noNewPrivileges: true,
      seccomp: 'default',
      maskedPaths: [],
      readonlyPaths: [],
    },
    resources: {},
    hostMay: ['exec', 'logs'],
    secrets: [],
    secretsDeadline: 600,
    sealing: 'none',
  };
}

/** The text that a guest of it takes. */
export function textOf(layers: readonly HostedLayer[], script: string): string {
  return launchSpecText(specOf(layers, script));
}

/** What a process has written, once it has written `lines` lines. */
export async function linesOf(guest: Guest, id: string, lines: number): Promise<readonly string[]> {
  const reader = await guest.output(id, 0, deadline());
  let text = '';
  for await (const { data } of reader) {
    text += data.toString();
    const found = text.trimEnd().split('\n');
    if (found.length < lines || !text.endsWith('\n')) continue;
    // Otherwise the end of the loop waits for what comes next.
    reader.close();
    return found;
  }
  throw new Error(`${id} ended after: ${text}`);
}

/** Runs one more program in the box, to its end; it says little. */
export async function ran(
  guest: Guest,
  id: string,
  args: readonly string[],
): Promise<{ readonly text: string; readonly exitCode: number }> {
  const plain = { env: ['PATH=/bin'], cwd: '/', user: '', terminal: false, stdin: false };
  const process = { ...plain, args: [...args] };
  const { output, exit } = await guest.launch(id, process, deadline());
  let text = '';
  for await (const { data } of output) text += data.toString();
  return { text, exitCode: (await exit).exitCode };
}

/** Changes one bit of a file, in place. */
export async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  } finally {
    await file.close();
  }
}

function bytesOf(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}
