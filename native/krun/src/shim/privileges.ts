/**
 * Gives up what the shim may do beyond its box.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { KrunError } from '../errors.ts';
import type { ShimDescription } from './description.ts';

/**
 * Changes to the identity for good. Refuses to go on as root, or with any capability.
 *
 * @throws KrunError `krun-privileges`; the process must end then
 */
export function dropPrivileges(identity: ShimDescription['identity']): void {
  if (identity !== undefined) become(identity);
  if (process.geteuid?.() === 0) {
    throw refused('it would run as root; the description has to name an identity');
  }
  const held = capabilities(readFileSync('/proc/self/status', 'utf8'));
  if (held !== 0n) throw refused(`it has the capabilities ${held.toString(16)}`);
}

/** The effective and permitted capabilities, of the text of `/proc/PID/status`. */
export function capabilities(status: string): bigint {
  const sets = [...status.matchAll(/^Cap(?:Eff|Prm):\t([0-9a-f]{16})$/gm)];
  if (sets.length !== 2) throw refused('the kernel does not say which capabilities it has');
  return sets.reduce((all, [, digits]) => all | BigInt(`0x${digits}`), 0n);
}

function become({ uid, gid }: NonNullable<ShimDescription['identity']>): void {
  if (process.geteuid?.() === uid && process.getegid?.() === gid) return;
  try {
    process.setgroups?.([]);
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
  const now = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()];
  if (now.some((id, n) => id !== (n < 2 ? uid : gid))) throw refused('the user id did not change');
}

function refused(reason: string): KrunError {
  return new KrunError('krun-privileges', `Cannot give up the rights of the shim: ${reason}`);
}
