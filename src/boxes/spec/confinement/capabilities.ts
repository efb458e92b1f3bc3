/**
 * The capabilities of a box, by Docker's rules.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';

/** All capabilities of Linux, in the order of their numbers. */
export const ALL_CAPABILITIES: readonly string[] = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_FSETID'],
  ...['CAP_KILL', 'CAP_SETGID', 'CAP_SETUID', 'CAP_SETPCAP', 'CAP_LINUX_IMMUTABLE'],
  ...['CAP_NET_BIND_SERVICE', 'CAP_NET_BROADCAST', 'CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_IPC_LOCK'],
  ...['CAP_IPC_OWNER', 'CAP_SYS_MODULE', 'CAP_SYS_RAWIO', 'CAP_SYS_CHROOT', 'CAP_SYS_PTRACE'],
  ...['CAP_SYS_PACCT', 'CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_NICE', 'CAP_SYS_RESOURCE'],
  ...['CAP_SYS_TIME', 'CAP_SYS_TTY_CONFIG', 'CAP_MKNOD', 'CAP_LEASE', 'CAP_AUDIT_WRITE'],
  ...['CAP_AUDIT_CONTROL', 'CAP_SETFCAP', 'CAP_MAC_OVERRIDE', 'CAP_MAC_ADMIN', 'CAP_SYSLOG'],
  ...['CAP_WAKE_ALARM', 'CAP_BLOCK_SUSPEND', 'CAP_AUDIT_READ', 'CAP_PERFMON', 'CAP_BPF'],
  'CAP_CHECKPOINT_RESTORE',
];

const ALL = 'ALL';

/**
 * Names match in any case, with or without `CAP_`.
 *
 * @param field the field of the request, for messages
 * @throws A3sError `invalid-argument` in Docker's words
 */
export function checkCapabilities(names: readonly string[], field: 'CapAdd' | 'CapDrop'): void {
  for (const name of names.map(normal)) {
    if (name === ALL || ALL_CAPABILITIES.includes(name)) continue;
    throw new A3sError(
      'invalid-argument',
      `invalid ${field}: unknown capability: "${name.slice(0, 64)}"`,
      { remedy: 'capabilities(7) lists the names.' },
    );
  }
}

/**
 * The capabilities of a box: the usual ones, less what is dropped, and what is added. `ALL` goes
 * first.
 */
export function tweakCapabilities(
  usual: readonly string[],
  added: readonly string[],
  dropped: readonly string[],
): string[] {
  const add = added.map(normal);
  const drop = dropped.map(normal);
  if (add.length + drop.length === 0) return [...usual];
  if (add.includes(ALL)) return ALL_CAPABILITIES.filter((name) => !drop.includes(name));
  const kept = drop.includes(ALL) ? [] : usual.filter((name) => !drop.includes(name));
  return [...new Set([...kept, ...add])].sort();
}

function normal(name: string): string {
  const upper = name.toUpperCase();
  return upper === ALL || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}
