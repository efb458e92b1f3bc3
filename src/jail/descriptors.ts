/**
 * Descriptors that this process inherited from a parent that forgot to close them. Node opens
 * everything close-on-exec, but these would pass through to every jail.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;

/** Numbers of all descriptors from 3 up that a started program would inherit. */
export function leakedDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2 && inherits(fd));
}

function inherits(fd: number): boolean {
  let info: string;
  try {
    info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  } catch (error) {
    // The descriptor of the directory listing itself is closed by now.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
  const flags = /^flags:\s*([0-7]+)$/m.exec(info)?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
}

/**
 * Replaces leaked descriptors in a table of standard descriptors, so that the program finds `cover`
 * there instead.
 *
 * @param cover a descriptor that any program may have, such as one of `/dev/null`
 */
export function coverLeaked<T>(
  stdio: readonly T[],
  leaked: readonly number[],
  cover: number,
): (T | number | 'ignore')[] {
  const table: (T | number | 'ignore')[] = [...stdio];
  for (const fd of leaked) {
    if (fd < stdio.length) continue;
    while (table.length < fd) table.push('ignore');
    table[fd] = cover;
  }
  return table;
}
