/**
 * Starts the shim in tests as a server does: its monitor, with description, record and console.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'esbuild';
import { SHIM_DESCRIPTORS, SHIM_ENVIRONMENT, shimCommand } from '../shim/command.ts';
import type { ShimDescription } from '../shim/description.ts';
import { type RunRecord, readRecord } from '../shim/run-record.ts';

const ROOT = join(import.meta.dirname, '../../../..');

/** Bundles the shim into a directory, and returns its path. */
export async function bundleShim(directory: string): Promise<string> {
  const outfile = join(directory, 'krun-shim.cjs');
  await build({
    entryPoints: [join(import.meta.dirname, '../shim/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['koffi'],
    logLevel: 'warning',
  });
  return outfile;
}

export const CONSOLE_DESCRIPTOR = SHIM_DESCRIPTORS.firstOther;

/** A microVM with nothing but a kernel, which is ELF. */
export function smallest(library: string, kernel: string): ShimDescription {
  return {
    version: 1,
    variant: 'krun',
    library,
    // The shim refuses to run as root. An ordinary user cannot change its identity.
    ...(process.geteuid?.() === 0 ? { identity: { uid: 65534, gid: 65534 } } : {}),
    vcpus: 1,
    memoryMib: 256,
    boot: { kind: 'kernel', path: kernel, format: 'elf', commandLine: 'quiet' },
    disks: [],
    shares: [],
    networkDevices: [],
    ports: [],
    tsi: [],
  };
}

export interface ShimFiles {
  readonly shim: string;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A path in place of the console's file. */
  readonly console?: string;
  /** A program that starts the monitor in place of this process, and ends when it likes. */
  readonly startedBy?: readonly string[];
}

export class ShimProcess {
  readonly monitor: ChildProcess;
  readonly recordPath: string;
  readonly statusPath: string;
  readonly consolePath: string;
  #errors = '';

  private constructor(monitor: ChildProcess, directory: string) {
    this.monitor = monitor;
    this.recordPath = join(directory, 'run');
    this.statusPath = join(directory, 'status');
    this.consolePath = join(directory, 'console');
    monitor.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
  }

  static start(description: unknown, files: ShimFiles): ShimProcess {
    const { directory, environment, shim } = files;
    const input = join(directory, 'description');
    writeFileSync(
      input,
      typeof description === 'string' ? description : JSON.stringify(description),
    );
    const fds = [
      openSync(input, 'r'),
      openSync(join(directory, 'run'), 'a+'),
      openSync(join(directory, 'status'), 'a+'),
      openSync(files.console ?? join(directory, 'console'), 'w'),
    ];
    const { path, args } = shimCommand(shim, ['box', directory], process.execPath);
    const [program = path, ...rest] = [...(files.startedBy ?? []), path, ...args];
    const monitor = spawn(program, rest, {
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE_PATH: join(ROOT, 'node_modules'),
        ...SHIM_ENVIRONMENT,
        ...environment,
      },
      stdio: ['ignore', 'ignore', 'pipe', ...fds],
      detached: true,
    });
    for (const fd of fds) closeSync(fd);
    return new ShimProcess(monitor, directory);
  }

  get errors(): string {
    return this.#errors;
  }

  get record(): RunRecord {
    const [shim, monitor] = [this.recordPath, this.statusPath].map((path) =>
      readFileSync(path, 'utf8'),
    ) as [string, string];
    return readRecord(shim, monitor);
  }

  get console(): string {
    return readFileSync(this.consolePath, 'latin1');
  }

  /** Process id of the shim itself, the monitor's only child. */
  get shimPid(): number {
    const { pid } = this.monitor;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
  }

  get #over(): boolean {
    return this.monitor.exitCode !== null || this.monitor.signalCode !== null;
  }

  /** When the monitor has ended: its exit status. */
  async ended(): Promise<number | null> {
    if (this.#over) return this.monitor.exitCode;
    return await new Promise((resolve) => {
      this.monitor.once('close', (code) => {
        resolve(code);
      });
    });
  }

  /** Waits until the record says that the shim hands over. */
  async entered(): Promise<NonNullable<RunRecord['entering']>> {
    for (;;) {
      const { entering, failed } = this.record;
      if (entering !== undefined) return entering;
      if (failed !== undefined) throw new Error(`${failed.code}: ${failed.message}`);
      if (this.#over) throw new Error(`the shim has ended: ${this.errors}`);
      await delay(20);
    }
  }

  kill(): void {
    if (this.monitor.pid !== undefined && !this.#over) {
      process.kill(-this.monitor.pid, 'SIGKILL');
    }
  }
}
