/**
 * What a firmware makes of a kernel that it was handed, by whoever starts the VMM without measuring.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { listenFor } from '../../../src/engine/listener.ts';
import { CONTROL_PORT_ID, vmmSockets } from '../../../src/engine/qemu/arguments.ts';
import { confidentialArguments } from '../../../src/engine/qemu/confidential/arguments.ts';
import type { ConfidentialSpec } from '../../../src/engine/qemu/confidential/plan.ts';
import { QEMU } from '../../../src/engine/qemu/vmm.ts';

/** What a host hands over. */
export interface HandedOver {
  readonly firmware: Uint8Array;
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
  /** The table of hashes, and where it goes; none at all where this is undefined. */
  readonly table: { readonly bytes: Uint8Array; readonly address: number } | undefined;
}

/** Looks so often, in a row or not, at one instruction that the processor goes on at without ever halting. */
const LOOKS = 12;
const LOOK_MS = 300;

/** `started`: the guest opened its port; `refused`: the firmware goes round in a loop of one instruction. */
export async function firmwareVerdict(
  spec: ConfidentialSpec,
  handed: HandedOver,
  signal: AbortSignal,
): Promise<'started' | 'refused'> {
  const { runtimeDir } = spec;
  mkdirSync(runtimeDir);
  const names = ['firmware', 'kernel', 'initrd', 'table'] as const;
  for (const name of names) {
    const bytes = name === 'table' ? (handed.table?.bytes ?? new Uint8Array()) : handed[name];
    writeFileSync(join(runtimeDir, name), bytes);
  }
  const files = names.map((name) => openSync(join(runtimeDir, name), 'r'));
  const listener = await listenFor(vmmSockets(runtimeDir).monitor);
  const [firmware, kernel, initrd, table] = [3, 4, 5, 6] as const;
  const hashes =
    handed.table === undefined ? undefined : { fd: table, address: handed.table.address };
  const fds = {
    firmware,
    kernel,
    initrd,
    hashes,
    kvm: undefined,
    sev: undefined,
    monitor: 7,
    disks: [],
  };
  const args = confidentialArguments({ spec, accelerator: 'tcg' }, fds);
  const vmm = spawn(QEMU, args, { stdio: ['ignore', 'ignore', 'ignore', ...files, listener.fd] });
  try {
    await listener.close();
    return await watch(runtimeDir, signal);
  } finally {
    const gone = new Promise((resolve) => vmm.once('exit', resolve));
    vmm.kill('SIGKILL');
    await gone;
    files.forEach((file) => void closeSync(file));
    rmSync(runtimeDir, { recursive: true });
  }
}

/** As far as it is looked at. */
interface Message {
  readonly return?: unknown;
  readonly data?: { readonly id?: string; readonly open?: boolean };
}

const LOOK = {
  execute: 'human-monitor-command',
  arguments: { 'command-line': 'info registers' },
};

async function watch(runtimeDir: string, signal: AbortSignal): Promise<'started' | 'refused'> {
  const monitor = connect({ path: vmmSockets(runtimeDir).monitor, signal });
  const say = (command: object): void => void monitor.write(`${JSON.stringify(command)}\n`);
  for (const execute of ['qmp_capabilities', 'cont']) say({ execute });
  const looking = setInterval(() => say(LOOK), LOOK_MS);
  const seen = new Map<string, number>();
  try {
    for await (const line of createInterface({ input: monitor })) {
      const message: Message = JSON.parse(line);
      if (message.data?.id === CONTROL_PORT_ID && message.data.open === true) return 'started';
      const at = /\bRIP=([0-9a-f]+).*HLT=0/.exec(String(message.return))?.[1];
      if (at === undefined) continue;
      const looks = (seen.get(at) ?? 0) + 1;
      if (looks === LOOKS) return 'refused';
      seen.set(at, looks);
    }
  } finally {
    clearInterval(looking);
    monitor.destroy();
  }
  throw new Error('the VMM ended');
}
