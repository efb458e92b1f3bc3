/**
 * Checks whether the host has the memory that a VM asks for.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { A3sError } from '../errors.ts';

/** The memory of a VMM and its helpers besides the guest's memory. */
const OVERHEAD_BYTES = 96 * 2 ** 20;

/** @throws A3sError `out-of-memory` */
export async function checkMemory(memoryBytes: number): Promise<void> {
  const available = availableBytes(await readFile('/proc/meminfo', 'utf8'));
  if (available === undefined || available >= memoryBytes + OVERHEAD_BYTES) return;
  const mebibytes = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)} MiB`;
  throw new A3sError(
    'out-of-memory',
    `Cannot start a microVM of ${mebibytes(memoryBytes)}: the host has ${mebibytes(available)} available, and ${mebibytes(OVERHEAD_BYTES)} are needed besides`,
    { remedy: 'Stop another box, or give this one less memory with -m.' },
  );
}

/** Undefined on a kernel that does not report it (before 3.14). */
export function availableBytes(meminfo: string): number | undefined {
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
