/**
 * The confinement of every process of a box: Docker's defaults, and what a box asks for instead.
 *
 * @module
 */
import type { Confinement } from '@a3s-box/policies';
import type { Security } from '../../record/security.ts';
import { ALL_CAPABILITIES, tweakCapabilities } from './capabilities.ts';
import { readDeviceRule } from './device-rules.ts';
import { readSeccompProfile } from './seccomp-profile.ts';
import { readSecurityOpt } from './security-opt.ts';

export const DEFAULT_CONFINEMENT: Confinement = {
  capabilities: [
    'CAP_AUDIT_WRITE',
    'CAP_CHOWN',
    'CAP_DAC_OVERRIDE',
    'CAP_FOWNER',
    'CAP_FSETID',
    'CAP_KILL',
    'CAP_MKNOD',
    'CAP_NET_BIND_SERVICE',
    'CAP_NET_RAW',
    'CAP_SETFCAP',
    'CAP_SETGID',
    'CAP_SETPCAP',
    'CAP_SETUID',
    'CAP_SYS_CHROOT',
  ],
  noNewPrivileges: false,
  seccomp: 'default',
  maskedPaths: [
    '/proc/asound',
    '/proc/acpi',
    '/proc/kcore',
    '/proc/keys',
    '/proc/latency_stats',
    '/proc/timer_list',
    '/proc/timer_stats',
    '/proc/sched_debug',
    '/proc/scsi',
    '/sys/firmware',
    '/sys/devices/virtual/powercap',
  ],
  readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
};

/** The files of devices that a guest has and that a box may be given. */
export const GUEST_DEVICES = ['/dev/fuse', '/dev/net/tun'] as const;
/** The one whose driver a guest loads for a box that asks for it. */
export const DRIVEN_DEVICE = '/dev/net/tun';

/**
 * The confinement of a box, by what it asked for.
 *
 * @throws A3sError `invalid-argument`, `unsupported-option` for options that no box can have
 */
export function confinementOf(security: Security): Confinement {
  const { capAdd, capDrop, privileged } = security;
  const usual = DEFAULT_CONFINEMENT;
  const { noNewPrivileges, seccomp } = readSecurityOpt(security.securityOpt);
  const capabilities = privileged
    ? [...ALL_CAPABILITIES]
    : tweakCapabilities(usual.capabilities, capAdd, capDrop);
  const { groupAdd, oomScoreAdj, devices, deviceRules } = security;
  return {
    capabilities,
    noNewPrivileges,
    ...seccompOf(seccomp ?? (privileged ? 'unconfined' : 'default'), capabilities, privileged),
    ...pathsOf(security),
    ...(groupAdd.length === 0 ? {} : { groups: [...groupAdd] }),
    ...(oomScoreAdj === 0 ? {} : { oomScoreAdj }),
    // A privileged box has them all.
    ...(deviceRules.length === 0 || privileged
      ? {}
      : { deviceRules: deviceRules.map(readDeviceRule) }),
    ...(devices.length === 0 || privileged ? {} : { devices: devices.map(belowDev) }),
    ...(privileged ? { privileged } : {}),
  };
}

/**
 * The paths that are masked and read-only: Docker's own, unless the box is privileged or names
 * others.
 */
export function pathsOf({
  privileged,
  maskedPaths,
  readonlyPaths,
}: Security): Pick<Confinement, 'maskedPaths' | 'readonlyPaths'> {
  const usual = privileged ? NO_PATHS : DEFAULT_CONFINEMENT;
  return {
    maskedPaths: [...(maskedPaths ?? usual.maskedPaths)],
    readonlyPaths: [...(readonlyPaths ?? usual.readonlyPaths)],
  };
}

const NO_PATHS = { maskedPaths: [], readonlyPaths: [] };

function seccompOf(
  asked: string,
  capabilities: readonly string[],
  privileged: boolean,
): Pick<Confinement, 'seccomp' | 'seccompProfile'> {
  // As in Docker, a privileged box has no filter but a profile that it brings.
  if (asked === 'default') return { seccomp: privileged ? 'unconfined' : 'default' };
  if (asked === 'unconfined') return { seccomp: 'unconfined' };
  const seccompProfile = readSeccompProfile(asked, capabilities);
  if (seccompProfile === undefined) return { seccomp: 'unconfined' };
  return { seccomp: 'profile', seccompProfile };
}

/** The path of a device below `/dev`. */
export function belowDev({ path }: Security['devices'][number]): string {
  return path.slice('/dev/'.length);
}
