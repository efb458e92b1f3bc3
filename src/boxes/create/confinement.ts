/**
 * The confinement of every process of a box: Docker's defaults, and what a box asks for instead.
 *
 * @module
 */
import type { Confinement } from '@a3s-box/policies';
import type { Security } from '../record/security.ts';
import { tweakCapabilities } from './capabilities.ts';

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

/** The confinement of a box, by what it asked for. */
export function confinementOf({ capAdd, capDrop }: Security): Confinement {
  return {
    ...DEFAULT_CONFINEMENT,
    capabilities: tweakCapabilities(DEFAULT_CONFINEMENT.capabilities, capAdd, capDrop),
  };
}
