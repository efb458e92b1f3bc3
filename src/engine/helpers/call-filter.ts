/**
 * The filter of system calls that a VMM has from its jail, before it sets one of its own.
 *
 * @module
 */
import { constants, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { once } from '../../async/once.ts';
import { type FilterOptions, systemCallFilter } from '../../jail/system-calls.ts';
import { memoryFile } from '../memory-file.ts';
import type { DescriptorTable } from './descriptor-table.ts';

/** Each is written once: this process keeps it open. */
const kept = {
  withMemoryFiles: once(() => write({ memoryFiles: true })),
  without: once(() => write({ memoryFiles: false })),
};

async function write(options: FilterOptions): Promise<number> {
  const fd = await memoryFile('a3s-calls');
  writeFileSync(fd, systemCallFilter(options));
  return fd;
}

/**
 * Adds the filter to the files of a program, under the number that its jail takes. Its numbers of
 * system calls are those of x86-64: elsewhere there is none.
 *
 * @throws A3sError `out-of-memory`
 */
export async function callFilter(
  table: DescriptorTable,
  { memoryFiles }: FilterOptions,
): Promise<{ systemCalls?: number }> {
  if (process.arch !== 'x64') return {};
  // Opened anew: the reader of a shared descriptor would find its end.
  const fd = await (memoryFiles ? kept.withMemoryFiles() : kept.without());
  const path = `/proc/self/fd/${fd}`;
  return { systemCalls: table.keep(await open(path, constants.O_RDONLY)) };
}
