/**
 * What the figures were measured on: without it they say nothing.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export type MachineDescription = Readonly<Record<string, string | number | boolean>>;

export function describeMachine(): MachineDescription {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    kvmDevice: opens('/dev/kvm'),
    node: process.version,
    qemu: firstLine('qemu-system-x86_64'),
    podman: firstLine('podman'),
    runc: firstLine('runc'),
  };
}

/** Whether boxes may run on it; `a3s-box info` says whether they do. */
function opens(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function firstLine(program: string): string {
  const [line = ''] = execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n');
  return line;
}
