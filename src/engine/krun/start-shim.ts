/**
 * Starts the shim of a microVM in its jail, up to the moment at which it hands itself over to
 * libkrun.
 *
 * @module
 */
import { constants } from 'node:fs';
import { chmod, lchown, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { SHIM_DESCRIPTORS, SHIM_ENVIRONMENT, SHIM_MONITOR, shimCommand } from '@a3s-box/krun/shim';
import { retry } from '../../async/retry.ts';
import { A3sError } from '../../errors.ts';
import { jailGroup } from '../../jail/identity.ts';
import type { JailDevice, JailProgram } from '../../jail/jail.ts';
import { deadline } from '../deadline.ts';
import { DescriptorTable } from '../helpers/descriptor-table.ts';
import { Helper, printable } from '../helpers/helper.ts';
import { findTogether } from '../processes/find-together.ts';
import type { FoundProcess } from '../processes/processes.ts';
import type { VmSpec } from '../vm/vm-spec.ts';
import { describeVm, type ShimFiles } from './describe-vm.ts';
import type { RunDirectory } from './run-directory.ts';

/** What a shim is started with on this host. */
export interface ShimHost {
  /** The path of libkrun. */
  readonly library: string;
  /** The bundle of the shim. */
  readonly program: string;
  /** The directory of the modules that the bundle loads. */
  readonly modules: string;
}

const SHIM = 'libkrun';
const KVM = '/dev/kvm';
const READY_MS = 30_000;
const OPEN_FILES = 4096;
/** Threads too: of Node, of each processor of the guest and of each device. */
const PROCESSES = 4096;
/** Of Node and libkrun, beside the guest's memory. */
const DATA_BYTES = 2 * 2 ** 30;
/** Of what a shim writes besides disks: its console, and its lines to the server. */
const FILE_BYTES = 2 ** 20;
const OTHERS_READ = 0o004;
const OTHERS_USE = 0o006;
const GROUP_USES = 0o060;
const { O_RDONLY, O_RDWR, O_APPEND } = constants;

/**
 * Resolves when the shim has configured libkrun and calls it to start the microVM.
 *
 * @param probeMs the time that a guest has on this host, which a slow one was given
 * @throws A3sError `vmm-failed` with the reason of the shim or of libkrun, `state-unusable` for a
 * file that cannot be opened
 */
export async function startShim(
  spec: VmSpec,
  host: ShimHost,
  run: RunDirectory,
  { signal, probeMs }: { readonly signal: AbortSignal; readonly probeMs: number },
): Promise<Helper> {
  const helper = await spawnShim(spec, host, run);
  const waiting = AbortSignal.any([
    signal,
    deadline(Math.max(READY_MS, probeMs), 'vmm-failed', 'libkrun did not start the microVM'),
  ]);
  try {
    await retry(async () => {
      const { entering, failed } = await run.record();
      if (failed !== undefined) {
        throw new A3sError('vmm-failed', `Cannot start the microVM: ${printable(failed.message)}`);
      }
      if (entering !== undefined) return true;
      if (helper.ended.aborted) throw helper.ended.reason;
      return undefined;
    }, waiting);
    return helper;
  } catch (error) {
    helper.release();
    signal.throwIfAborted();
    throw error;
  }
}

/**
 * The processes of a run: the shim's monitor with the keeper of its jail, and the shim. For root
 * each must be of the box's group too: a VMM that its guest has taken over can overwrite its
 * command line.
 */
export async function findShim(runtimeDir: string): Promise<{
  readonly monitor: readonly FoundProcess[];
  readonly shim: FoundProcess | undefined;
}> {
  const root = process.geteuid?.() === 0;
  const found = (await findTogether(runtimeDir)).filter(({ inGroup }) => inGroup || !root);
  const node = basename(process.execPath);
  return {
    monitor: found.filter(({ args }) => args.includes(SHIM_MONITOR)),
    shim: found.find(({ program }) => program === node),
  };
}

async function spawnShim(spec: VmSpec, host: ShimHost, run: RunDirectory): Promise<Helper> {
  const { boot, disks, identity, runtimeDir, id } = spec;
  await using table = new DescriptorTable();
  const readonlyDisks = disks.filter(({ readonly }) => readonly).map(({ path }) => path);
  for (const path of [boot.kernelPath, boot.initrdPath, ...readonlyDisks]) await letRead(path);
  for (const { path, readonly } of disks) if (!readonly) await letWrite(path, identity);
  const { firstOther } = SHIM_DESCRIPTORS;
  const numbers: ShimFiles = {
    console: firstOther,
    kernel: firstOther + 1,
    initrd: firstOther + 2,
    disks: disks.map((_, index) => firstOther + 3 + index),
  };
  const memoryFiles = spec.shares.length > 0;
  await run.make(describeVm(spec, host.library, numbers), { memoryFiles });
  // In the order of their numbers.
  await table.open(run.fileOf('description'), O_RDONLY);
  await table.open(run.fileOf('run'), O_RDWR | O_APPEND);
  await table.open(run.fileOf('status'), O_RDWR | O_APPEND);
  await table.open(run.fileOf('console'), O_RDWR);
  await table.open(boot.kernelPath, O_RDONLY);
  await table.open(boot.initrdPath, O_RDONLY);
  for (const { path, readonly } of disks) await table.open(path, readonly ? O_RDONLY : O_RDWR);
  const systemCalls = await table.open(run.fileOf('systemCalls'), O_RDONLY);
  const program: Omit<JailProgram, 'stdio' | 'outlives'> = {
    ...shimCommand(host.program, [id, runtimeDir], process.execPath),
    identity,
    group: jailGroup(runtimeDir),
    writable: [],
    sockets: [runtimeDir],
    // libkrun opens them again.
    reopened: [numbers.console, ...numbers.disks.filter((_, n) => disks[n]?.readonly === false)],
    readable: [host.program, host.modules, ...[host.library, process.execPath].filter(isOutside)],
    devices: await kvmDevices(),
    network: false,
    // Its numbers are those of x86-64.
    ...(process.arch === 'x64' ? { systemCalls } : {}),
    limits: {
      openFiles: OPEN_FILES,
      processes: PROCESSES,
      dataBytes: spec.memoryBytes + DATA_BYTES,
      ...(await fileLimit(spec)),
    },
    environment: { ...SHIM_ENVIRONMENT, NODE_PATH: host.modules },
  };
  return await Helper.start(SHIM, program, table.fds);
}

/** Every jail sees `/usr`. */
function isOutside(path: string): boolean {
  return !path.startsWith('/usr/');
}

/**
 * No file becomes longer than the longest disk. Memory that file servers map is a file, too.
 */
async function fileLimit({ disks, shares, memoryBytes }: VmSpec): Promise<{ fileBytes: number }> {
  const sizes = disks.map(async ({ path }) => (await stat(path)).size);
  const memory = shares.length > 0 ? memoryBytes : 0;
  return { fileBytes: Math.max(FILE_BYTES, memory, ...(await Promise.all(sizes))) };
}

/**
 * libkrun opens its files again, as the user of the VMM. Layers and boot sets are the same for all
 * boxes, and lie in directories that other users of the host cannot enter.
 */
async function letRead(path: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { mode } = await stat(path);
  if ((mode & OTHERS_READ) === 0) await chmod(path, (mode & 0o777) | OTHERS_READ);
}

/**
 * A disk that is written has one box at a time. A volume's is root's until then: QEMU gets it
 * opened.
 */
async function letWrite(path: string, { uid, gid }: VmSpec['identity']): Promise<void> {
  if (process.geteuid?.() !== 0 || (await stat(path)).uid === uid) return;
  await lchown(path, uid, gid);
}

/** The device of KVM, which libkrun opens itself. None: libkrun says so. */
async function kvmDevices(): Promise<readonly JailDevice[]> {
  const found = await stat(KVM).catch(() => undefined);
  if (found === undefined) return [];
  return [{ path: KVM, group: found.gid === 0 ? undefined : found.gid }];
}

/**
 * Why no user of a jail of root's can open the device of KVM; undefined: one can, or there is none.
 */
export async function kvmRefusal(): Promise<string | undefined> {
  const found = await stat(KVM).catch(() => undefined);
  if (found === undefined || process.geteuid?.() !== 0) return undefined;
  const { mode, gid } = found;
  if ((mode & OTHERS_USE) === OTHERS_USE) return undefined;
  if (gid !== 0 && (mode & GROUP_USES) === GROUP_USES) return undefined;
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  return `${KVM} has mode ${octal} and group ${gid}, so that root alone opens it, and no VMM is root (chgrp kvm ${KVM} and chmod 0660 ${KVM} change that)`;
}
