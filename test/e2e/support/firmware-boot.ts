/**
 * The behaviour of a firmware whose input was not measured before the VMM started.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cpio } from '../../../src/boot/make/cpio.ts';
import { listenFor } from '../../../src/engine/helpers/listener.ts';
import { QEMU } from '../../../src/engine/qemu/boot/vmm.ts';
import { vmmSockets } from '../../../src/engine/qemu/command-line/arguments.ts';
import { confidentialArguments } from '../../../src/engine/qemu/confidential/confidential-arguments.ts';
import type { ConfidentialSpec } from '../../../src/engine/qemu/confidential/plan.ts';
import { untilHalted } from './firmware-halt.ts';

/** What a host hands over. */
export interface HandedOver {
  readonly firmware: Uint8Array;
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
  /** The table of hashes, and where it goes; none at all where this is undefined. */
  readonly table: { readonly bytes: Uint8Array; readonly address: number } | undefined;
}

export interface BootOptions {
  /** Arguments that the runtime never gives a VMM. */
  readonly extra?: readonly string[];
  /** Options, each with a value, that the VMM is not given. */
  readonly without?: readonly string[];
  /** Ends the boot once this text was printed, not only when the VM powers off. */
  readonly until?: RegExp;
  /** The firmware is to give up without switching the VM off. */
  readonly halts?: boolean;
}

/**
 * Boots, until the VM switches itself off.
 *
 * @returns what was written to the debug port: by the firmware nothing, by the guest of
 * `factsInitrd` its facts
 */
export async function bootFirmware(
  spec: ConfidentialSpec,
  handed: HandedOver,
  signal: AbortSignal,
  { extra = [], without = [], until = /(?!)/, halts = false }: BootOptions = {},
): Promise<string> {
  const { runtimeDir } = spec;
  mkdirSync(runtimeDir);
  const names = ['firmware', 'kernel', 'initrd', 'table'] as const;
  for (const name of names) {
    const bytes = name === 'table' ? (handed.table?.bytes ?? new Uint8Array()) : handed[name];
    writeFileSync(join(runtimeDir, name), bytes);
  }
  const files = names.map((name) => openSync(join(runtimeDir, name), 'r'));
  const sockets = vmmSockets(runtimeDir);
  const listeners = [
    await listenFor(sockets.monitor),
    await listenFor(sockets.control),
    await listenFor(sockets.processor),
  ];
  const [firmware, kernel, initrd, table] = [3, 4, 5, 6] as const;
  const hashes =
    handed.table === undefined ? undefined : { fd: table, address: handed.table.address };
  const fds = {
    ...{ firmware, kernel, initrd, hashes, disks: [] },
    ...{ monitor: 7, control: 8, processor: 9 },
    ...{ kvm: undefined, sev: undefined },
  };
  const own = confidentialArguments({ spec, accelerator: 'tcg' }, fds);
  const args = own.filter(
    (arg, at) => !without.includes(arg) && !without.includes(own[at - 1] ?? ''),
  );
  const debug = ['-debugcon', 'stdio', '-global', 'isa-debugcon.iobase=0x402'];
  const vmm = spawn(QEMU, [...args, ...debug, ...extra], {
    stdio: ['ignore', 'pipe', 'pipe', ...files, ...listeners.map(({ fd }) => fd)],
  });
  // Its output has been read to the end by then.
  const gone = once(vmm, 'close');
  let printed = '';
  let errors = '';
  vmm.stderr?.on('data', (data) => {
    errors += String(data);
  });
  try {
    for (const listener of listeners) await listener.close();
    const found = new Promise<void>((resolve) => {
      vmm.stdout?.on('data', (data) => {
        printed += String(data);
        if (until.test(printed)) resolve();
      });
    });
    const failed = gone.then(() => {
      throw new Error(`the VMM ended: ${errors}`);
    });
    const ended = halts
      ? untilHalted(sockets.monitor, signal)
      : switchedOff(sockets.monitor, signal);
    const off = ended.catch((error: unknown) =>
      signal.aborted || halts ? Promise.reject(error) : failed,
    );
    await Promise.race([found, failed, off]);
  } finally {
    vmm.kill('SIGKILL');
    await gone;
    files.forEach((file) => void closeSync(file));
    rmSync(runtimeDir, { recursive: true });
  }
  return printed;
}

/** Starts the VM, and waits for its end. */
async function switchedOff(path: string, signal: AbortSignal): Promise<void> {
  const monitor = connect({ path, signal });
  for (const execute of ['qmp_capabilities', 'cont'])
    monitor.write(`${JSON.stringify({ execute })}\n`);
  try {
    for await (const line of createInterface({ input: monitor })) {
      const message: { readonly event?: string } = JSON.parse(line);
      if (message.event === 'SHUTDOWN') return;
    }
  } finally {
    monitor.destroy();
  }
  throw new Error('the monitor closed before the microVM was switched off');
}

/** An initrd whose guest says what its kernel was given, and ends. */
export function factsInitrd(program: string): Uint8Array {
  const source = join(import.meta.dirname, '..', 'facts-init.c');
  execFileSync('gcc', ['-static', '-O2', '-o', program, source]);
  return cpio([
    { kind: 'directory', path: 'dev', mode: 0o755 },
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, data: readFileSync(program) },
  ]);
}
