/**
 * Gives up what the shim may do beyond its box.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { KrunError } from '../errors.ts';
import type { ShimDescription } from './description.ts';

type Identity = NonNullable<ShimDescription['identity']>;

/**
 * Changes to the identity for good. Refuses to go on as root, or when a thread has any capability
 * or could gain one.
 *
 * @throws KrunError `krun-privileges`; the process must end then
 */
export function dropPrivileges(identity: ShimDescription['identity']): void {
  if (identity !== undefined) changeIdentity(identity);
  if (process.geteuid?.() === 0) {
    throw refused('it would run as root; the description has to name an identity');
  }
  for (const status of threadStatuses()) {
    if (identity !== undefined && !hasIdentity(status, identity)) {
      throw refused('a thread has another user or group');
    }
    const held = capabilities(status);
    if (held !== 0n) throw refused(`it has the capabilities ${held.toString(16)}`);
    if (!/^NoNewPrivs:\t1$/m.test(status)) {
      throw refused('a thread could gain rights; it has to be started with no_new_privs');
    }
  }
}

/** The effective and permitted capabilities, of the text of `/proc/PID/status`. */
export function capabilities(status: string): bigint {
  const sets = [...status.matchAll(/^Cap(?:Eff|Prm):\t([0-9a-f]{16})$/gm)];
  if (sets.length !== 2) throw refused('the kernel does not say which capabilities it has');
  return sets.reduce((all, [, digits]) => all | BigInt(`0x${digits}`), 0n);
}

/**
 * Whether the real, effective, saved and file system ids are those of the identity, without
 * supplementary groups, of the text of `/proc/PID/status`.
 */
export function hasIdentity(status: string, { uid, gid }: Identity): boolean {
  const line = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(status)?.[1]?.trim();
  const four = (id: number) => [id, id, id, id].join('\t');
  return line('Uid') === four(uid) && line('Gid') === four(gid) && line('Groups') === '';
}

function changeIdentity(identity: Identity): void {
  // An ordinary user cannot change its identity, and need not when it has the described one.
  if (threadStatuses().every((status) => hasIdentity(status, identity))) return;
  try {
    process.setgroups?.([]);
    process.setgid?.(identity.gid);
    process.setuid?.(identity.uid);
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
}

/** Identity, capabilities and no_new_privs are each thread's own. */
function threadStatuses(): string[] {
  const tasks = '/proc/self/task';
  return readdirSync(tasks).map((id) => readFileSync(`${tasks}/${id}/status`, 'utf8'));
}

function refused(reason: string): KrunError {
  return new KrunError('krun-privileges', `Cannot give up the rights of the shim: ${reason}`);
}
