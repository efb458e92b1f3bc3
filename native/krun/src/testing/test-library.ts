/**
 * The C library with libkrun's ABI that the tests run with: compiles it, and reads its record.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOURCES = join(import.meta.dirname, '../../testing');

const DEFAULTS = {
  run: 'KRUN_TEST_RUN',
  serialName: 'KRUN_TEST_SERIAL',
  record: 'KRUN_TEST_RECORD',
} as const;

/** How the library is compiled. */
export interface LibraryBuild {
  /** As in `KRUN_RELEASE`: 1.16.0 is 11600. */
  readonly release?: number;
  readonly without?: readonly ('NET' | 'BLK')[];
  readonly tee?: boolean;
  /** As the branch after 1.19.0: compiled with VHOST_USER=1, or without it. */
  readonly vhostUser?: boolean;
  /** What its environment says otherwise, for the shim of a server, which has none. */
  readonly defaults?: Pick<LibraryBehaviour, 'run' | 'serialName'> & { readonly record?: string };
}

/** What its environment says; absent values are not set. */
export interface LibraryBehaviour {
  readonly run?: string;
  readonly shutdown?: boolean;
  readonly krunfw?: boolean;
  readonly consoleBytes?: number;
  readonly serialName?: string;
}

export interface RecordedCall {
  readonly call: string;
  readonly arguments: readonly unknown[];
  readonly result: number;
}

export class TestLibraries implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'a3s-krun-'));
  readonly recordPath = join(this.directory, 'record');

  /** A kernel that libkrun takes: ELF, with one segment in the guest's memory. */
  readonly kernelPath = join(this.directory, 'kernel');

  constructor() {
    this.openToAll(this.directory);
    writeFileSync(this.kernelPath, smallestKernel(), { mode: 0o644 });
    writeFileSync(this.recordPath, '');
    chmodSync(this.recordPath, 0o666);
  }

  /** The shim of root runs as another user. */
  openToAll(directory: string): void {
    chmodSync(directory, 0o777);
  }

  /** The path of the library in this build; compiled once. */
  build(asked: LibraryBuild = {}): string {
    const { release, without = [], tee = false, vhostUser, defaults = {} } = asked;
    const flags = [
      ...(release === undefined ? [] : [`-DKRUN_RELEASE=${release}`]),
      ...without.map((name) => `-DKRUN_NO_${name}`),
      ...(tee ? ['-DKRUN_TEE'] : []),
      ...(vhostUser === undefined ? [] : [`-DKRUN_VHOST_USER=${vhostUser ? 1 : 0}`]),
      ...Object.entries(DEFAULTS).flatMap(([name, macro]) => {
        const value = defaults[name as keyof typeof DEFAULTS];
        return value === undefined ? [] : [`-D${macro}="${value}"`];
      }),
    ];
    const path = join(this.directory, `libkrun${flags.join('').replace(/\W/g, '')}.so.1`);
    if (existsSync(path)) return path;
    const sources = readdirSync(SOURCES).filter((name) => name.endsWith('.c'));
    const warnings = ['-Wall', '-Wextra', '-Werror'];
    const { status, stderr, error } = spawnSync(
      'cc',
      ['-std=gnu17', ...warnings, '-fvisibility=hidden', '-shared', '-fPIC', ...flags]
        .concat(['-o', path])
        .concat(sources.map((name) => join(SOURCES, name))),
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`cc: ${error?.message ?? stderr}`);
    return path;
  }

  /** The environment of a process that uses the library. */
  environment(behaviour: LibraryBehaviour = {}): Record<string, string> {
    const { run, shutdown, krunfw, consoleBytes, serialName } = behaviour;
    return {
      A3S_KRUN_TEST_RECORD: this.recordPath,
      ...(run === undefined ? {} : { A3S_KRUN_TEST_RUN: run }),
      ...(shutdown === true ? { A3S_KRUN_TEST_SHUTDOWN: '1' } : {}),
      ...(krunfw === true ? { A3S_KRUN_TEST_KRUNFW: '1' } : {}),
      ...(consoleBytes === undefined ? {} : { A3S_KRUN_TEST_CONSOLE: String(consoleBytes) }),
      ...(serialName === undefined ? {} : { A3S_KRUN_TEST_SERIAL: serialName }),
    };
  }

  /** The calls since the last time, in order. Misuse is an entry without `call`. */
  takeRecord(): readonly RecordedCall[] {
    const text = existsSync(this.recordPath) ? readFileSync(this.recordPath, 'utf8') : '';
    writeFileSync(this.recordPath, '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line): RecordedCall => JSON.parse(line));
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

/** The headers of ELF and of a segment, then zeros up to the segment's 16 bytes at 1 MiB. */
export function smallestKernel(): Buffer {
  const PAGE = 4096;
  const kernel = Buffer.alloc(PAGE + 16);
  kernel.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  kernel.writeBigUInt64LE(0x10_0000n, 24);
  kernel.writeBigUInt64LE(64n, 32);
  kernel.writeUInt16LE(56, 54);
  kernel.writeUInt16LE(1, 56);
  kernel.writeUInt32LE(1, 64);
  kernel.writeBigUInt64LE(BigInt(PAGE), 64 + 8);
  kernel.writeBigUInt64LE(0x10_0000n, 64 + 24);
  kernel.writeBigUInt64LE(16n, 64 + 32);
  kernel.writeBigUInt64LE(16n, 64 + 40);
  return kernel;
}
