/**
 * The description of a microVM that an engine starts.
 *
 * @module
 */
import type { JailIdentity } from '../../jail/jail.ts';
import type { EngineName } from '../engine-name.ts';
import type { ConfidentialLaunch } from './confidential-launch.ts';
import type { Disk, Nic, Share } from './devices.ts';
import type { GuestBoot } from './guest-boot.ts';
import type { HostLimits } from './host-limits.ts';
import type { OpenSavedVm } from './saved-vm.ts';
import type { Template } from './template.ts';

/** What executes a guest: the kernel's virtualization, or QEMU's emulator. */
export const ACCELERATORS = ['kvm', 'tcg'] as const;

export type Accelerator = (typeof ACCELERATORS)[number];

/** Everything an engine needs to start one microVM. */
export interface VmSpec {
  /**
   * The box's id: 64 lower-case hexadecimal digits. It names the process, so that the process can
   * be found again.
   */
  readonly id: string;
  /** Which engine starts it; absent: the automatic one. */
  readonly engine?: EngineName | undefined;
  /** Per-box directory with a short path, for sockets. Made and removed by the caller. */
  readonly runtimeDir: string;
  /** The identity that the VMM and its helpers run as. */
  readonly identity: JailIdentity;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly boot: GuestBoot;
  readonly disks: readonly Disk[];
  readonly nic: Nic | undefined;
  /**
   * Further cards of a confidential VM, which gets none while it runs: with a tap device, or idle.
   * Absent: none.
   */
  readonly moreNics?: readonly Nic[] | undefined;
  readonly shares: readonly Share[];
  /**
   * Shares can be attached later (`attachShares`) to the VM, which comes from a template: its RAM
   * is a copy of its own. A VM with shares has that anyway.
   */
  readonly takesShares?: boolean | undefined;
  /**
   * Root ports more for what is attached while the VM runs. A VM from a template has those of the
   * template's shape.
   */
  readonly sparePorts?: number | undefined;
  /**
   * The VM starts from this template instead of booting. It has the same shape, and the
   * disks with the serials of the template's slots go into them.
   */
  readonly template?: Template | undefined;
  /**
   * The VM starts as a fork of this saved VM. It has the same shape, and its disks have the same
   * serials.
   */
  readonly fork?: OpenSavedVm | undefined;
  /**
   * The VM is launched measured. It then boots, and has no template, no shares and no console.
   * Disks alone are attached to it while it runs, where it has `sparePorts`.
   */
  readonly confidential?: ConfidentialLaunch | undefined;
  /**
   * Executes this VM, and is not chosen by a probe. Of VMs alone that boot. Absent: the engine
   * chooses.
   */
  readonly accelerator?: Accelerator | undefined;
  /** Limits in force when the VM is launched; absent: none. */
  readonly hostLimits?: HostLimits | undefined;
}
