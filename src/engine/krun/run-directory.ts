/**
 * What the server keeps of a run of libkrun: the description, what the shim and its monitor write,
 * and the console. The VMM has some of these files open, and can open none by its name: the
 * directory is the server's alone, since the monitor's file is what an exit status is believed by.
 *
 * @module
 */
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RECORD_BYTES, type RunRecord, readRecord, type ShimDescription } from '@a3s-box/krun/shim';
import * as z from 'zod';
import { type FilterOptions, systemCallFilter } from '../../jail/system-calls.ts';
import { isGone } from '../../processes/gone.ts';
import type { VmSize } from '../vm/vm.ts';

const NAMES = {
  description: 'description',
  run: 'run',
  status: 'status',
  console: 'console',
  systemCalls: 'system-calls',
};
/** A console file is at most twice as long as what is kept of it. */
const CONSOLE_BYTES = 64 * 1024;
const DESCRIPTION_BYTES = 1024 * 1024;

/** Of the document that this server wrote. */
const Description = z.object({ vcpus: z.int().min(1), memoryMib: z.int().min(1) });

export class RunDirectory {
  readonly path: string;

  /**
   * @param root of all runs
   * @param runtimeDir of the microVM, whose name the run has
   */
  constructor(root: string, runtimeDir: string) {
    this.path = join(root, basename(runtimeDir));
  }

  fileOf(name: keyof typeof NAMES): string {
    return join(this.path, NAMES[name]);
  }

  /** Makes it anew, with the filter of system calls for the jail, and empty files. */
  async make(description: ShimDescription, filter: FilterOptions): Promise<void> {
    await this.remove();
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    const write = (name: keyof typeof NAMES, text: string | Buffer) =>
      writeFile(this.fileOf(name), text, { mode: 0o600, flag: 'wx' });
    for (const name of ['run', 'status', 'console'] as const) await write(name, '');
    await write('systemCalls', systemCallFilter(filter));
    await write('description', JSON.stringify(description));
  }

  /** Undefined where there was no such run. */
  async size(): Promise<VmSize | undefined> {
    const text = (await lastBytes(this.fileOf('description'), DESCRIPTION_BYTES))?.toString();
    if (text === undefined || text === '') return undefined;
    const { vcpus, memoryMib } = Description.parse(JSON.parse(text));
    return { cpus: vcpus, memoryBytes: memoryMib * 2 ** 20 };
  }

  async record(): Promise<RunRecord> {
    const [run, status] = await Promise.all(
      (['run', 'status'] as const).map((name) => lastBytes(this.fileOf(name), RECORD_BYTES)),
    );
    return readRecord(run?.toString() ?? '', status?.toString() ?? '');
  }

  /** The last bytes of the console. */
  async console(): Promise<Buffer> {
    return (await lastBytes(this.fileOf('console'), CONSOLE_BYTES)) ?? Buffer.alloc(0);
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/**
 * The last bytes of a file, which a VMM may have made as long as it likes; undefined where there is
 * none.
 */
async function lastBytes(path: string, most: number): Promise<Buffer | undefined> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    const length = Math.min(size, most);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
