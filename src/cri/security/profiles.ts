/**
 * Security profiles of a container: seccomp's filters, and AppArmor's, which no guest has.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import type { Confinement } from '@a3s-box/policies';
import { MAX_PROFILE, readSeccompProfile } from '../../boxes/spec/confinement/seccomp-profile.ts';
import { SecurityProfileProfileType } from '../api/enums.ts';
import type { LinuxContainerSecurityContext, SecurityProfile } from '../api/messages.ts';
import { invalid, quoted, unsupported } from '../refusal.ts';

const { RuntimeDefault, Unconfined, Localhost } = SecurityProfileProfileType;
/** Older clients write it before the path of a profile. */
const LOCALHOST = /^localhost\//;
const NO_APPARMOR = ['', 'unconfined', 'runtime/default'];

/**
 * Where nothing is asked for, the filter is the runtime's own.
 *
 * @throws A3sError `invalid-argument` for a profile that cannot be read
 */
export async function seccompOf(
  asked: SecurityProfile | undefined,
  capabilities: readonly string[],
): Promise<Pick<Confinement, 'seccomp' | 'seccompProfile'>> {
  switch (asked?.profileType) {
    case undefined:
    case RuntimeDefault:
      return { seccomp: 'default' };
    case Unconfined:
      return { seccomp: 'unconfined' };
    case Localhost: {
      const text = await profileText(asked.localhostRef.replace(LOCALHOST, ''));
      const seccompProfile = readSeccompProfile(text, capabilities);
      if (seccompProfile === undefined) return { seccomp: 'unconfined' };
      return { seccomp: 'profile', seccompProfile };
    }
    default:
      throw invalid('seccomp.profile_type', `${asked?.profileType} is none`);
  }
}

/** A file of the node, where Kubernetes has put it. */
async function profileText(path: string): Promise<string> {
  if (!path.startsWith('/')) {
    throw invalid('seccomp.localhost_ref', `${quoted(path)} is not an absolute path`);
  }
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(MAX_PROFILE + 1) });
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalid('seccomp.localhost_ref', why);
  }
}

/**
 * A guest's kernel has no AppArmor, so no container has a profile: only one that was asked for by
 * its name is missed.
 *
 * @throws A3sError `unsupported-option`
 */
export function checkApparmor({
  apparmor,
  apparmorProfile,
}: Pick<LinuxContainerSecurityContext, 'apparmor' | 'apparmorProfile'>): void {
  const name = apparmor?.profileType === Localhost ? apparmor.localhostRef : undefined;
  const asked = name ?? (NO_APPARMOR.includes(apparmorProfile) ? undefined : apparmorProfile);
  if (asked === undefined) return;
  const reason = `the kernel of a guest has no AppArmor, and so no profile ${quoted(asked)}`;
  throw unsupported('security_context.apparmor', reason);
}
