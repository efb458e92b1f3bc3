/**
 * QEMU alone with the VM of confidential boxes: the same firmware and kernel, the same check of
 * their hashes, and an initrd that powers off.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelHashes, kernelHashTable, measuredOvmf } from '@a3s-box/attestation/measure';
import type { ConfidentialBoot } from '../../src/boot/bootset.ts';
import { listenFor } from '../../src/engine/helpers/listener.ts';
import { vmmSockets } from '../../src/engine/qemu/command-line/arguments.ts';
import { confidentialArguments } from '../../src/engine/qemu/confidential/confidential-arguments.ts';
import type { ConfidentialSpec } from '../../src/engine/qemu/confidential/plan.ts';
import type { Accelerator } from '../../src/engine/vm/vm-spec.ts';

const DEADLINE_MS = 120_000;
const MEMORY = 512 * 1024 * 1024;
const FIRST_FD = 3;

/** Such a VM, with nothing but its boot; its sockets lie in `directory`. */
export function plainConfidential(
  boot: ConfidentialBoot,
  initrdPath: string,
  directory: string,
): ConfidentialSpec {
  const { firmwarePath, kernelPath, vcpuType, policy } = boot;
  return {
    id: '0'.repeat(64),
    runtimeDir: directory,
    identity: { uid: 0, gid: 0 },
    cpus: 1,
    memoryBytes: MEMORY,
    boot: { kernelPath, initrdPath, commandLine: boot.commandLines.simulated },
    disks: [],
    nic: undefined,
    shares: [],
    confidential: {
      tee: 'simulated',
      ...{ firmwarePath, vcpuType, policy },
      hostData: new Uint8Array(32),
      guestStatePath: join(directory, 'guest'),
    },
  };
}

/** Boots straight to power-off, and returns when QEMU has ended. */
export async function bootPlainly(
  spec: ConfidentialSpec,
  accelerator: Accelerator,
  signal: AbortSignal,
): Promise<void> {
  const { boot, confidential, runtimeDir } = spec;
  const table = hashTable(spec);
  const tablePath = join(runtimeDir, 'hashes');
  writeFileSync(tablePath, table.bytes);
  const sockets = vmmSockets(runtimeDir);
  const listeners = [
    await listenFor(sockets.monitor),
    await listenFor(sockets.control),
    await listenFor(sockets.processor),
  ];
  const files = [confidential.firmwarePath, boot.kernelPath, boot.initrdPath, tablePath].map(
    (path) => openSync(path, 'r'),
  );
  const kvm = accelerator === 'kvm' ? openSync('/dev/kvm', 'r+') : undefined;
  const inherited = [
    ...files,
    ...listeners.map(({ fd }) => fd),
    ...(kvm === undefined ? [] : [kvm]),
  ];
  const at = (index: number): number => FIRST_FD + index;
  const fds = {
    ...{ firmware: at(0), kernel: at(1), initrd: at(2) },
    hashes: { fd: at(3), address: table.address },
    ...{ monitor: at(4), control: at(5), processor: at(6) },
    kvm: kvm === undefined ? undefined : at(7),
    sev: undefined,
    disks: [],
  };
  try {
    const args = confidentialArguments({ spec, accelerator }, fds).filter((each) => each !== '-S');
    await ended([...args, '-action', 'shutdown=poweroff'], inherited, signal);
  } finally {
    for (const fd of [...files, ...(kvm === undefined ? [] : [kvm])]) closeSync(fd);
    for (const listener of listeners) await listener.close();
  }
}

async function ended(
  args: readonly string[],
  inherited: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const child = spawn('qemu-system-x86_64', args, {
    stdio: ['ignore', 'ignore', 'pipe', ...inherited],
  });
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words += chunk.toString();
  });
  const end = (): boolean => child.kill('SIGKILL');
  const deadline = setTimeout(end, DEADLINE_MS);
  signal.addEventListener('abort', end);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(deadline);
  signal.removeEventListener('abort', end);
  if (code !== 0) throw new Error(`plain QEMU ended with ${String(code)}: ${words.trim()}`);
}

/** What the firmware holds kernel, initrd and command line against. */
function hashTable({ boot, confidential }: ConfidentialSpec): {
  bytes: Uint8Array;
  address: number;
} {
  const { hashTableGpa } = measuredOvmf(readFileSync(confidential.firmwarePath));
  if (hashTableGpa === undefined) throw new Error('the firmware checks no kernel');
  const [kernel, initrd] = [boot.kernelPath, boot.initrdPath].map((path) => ({
    sha256: Uint8Array.from(createHash('sha256').update(readFileSync(path)).digest()),
  }));
  if (kernel === undefined) throw new TypeError('a kernel was given');
  const bytes = kernelHashTable(kernelHashes(kernel, initrd, boot.commandLine.join(' ')));
  return { bytes, address: hashTableGpa };
}
