/**
 * A running microVM.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import type { LaunchRecord } from '@a3s-box/attestation/measure';
import type { Disk, FixedCard, LaterNic, Share, ShareServers } from './devices.ts';
import type { HostLimits } from './host-limits.ts';
import type { SavedVm, SaveRequest } from './saved-vm.ts';

export interface VmSize {
  readonly cpus: number;
  readonly memoryBytes: number;
}

export interface VmExit {
  /**
   * `poweroff`: the guest ended by itself; `panic`: its kernel panicked; `killed`: this project
   * killed it; `crashed`: the VMM crashed.
   */
  readonly reason: 'poweroff' | 'panic' | 'killed' | 'crashed';
  /** One line for people, empty where there is nothing to add. */
  readonly detail: string;
}

/** The control stream of a VM. It counts its bytes as a socket does. */
export interface ControlStream extends Duplex {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** A running microVM. It outlives the object and the process that hold it. */
export interface Vm {
  readonly id: string;
  /** Process id of the VMM, 0 where there is no process. */
  readonly pid: number;
  /** Opens the control stream. At most one at a time; a second one ends the first. */
  connect(signal: AbortSignal): Promise<ControlStream>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * Attaches read-only disks to slots that were empty when the VM started from its template. The
   * guest must not have read those slots yet.
   */
  attach(disks: readonly Disk[]): Promise<void>;
  /**
   * Attaches disks while the VM runs, eight to a root port, in place of those of the same name.
   *
   * @throws A3sError `conflict` where no port is free, `state-unusable` for a file, `vmm-failed`
   */
  attachDisks(name: string, disks: readonly Disk[]): Promise<void>;
  /**
   * Attaches shares, eight to a root port, each with a file server of its own. The VM takes shares
   * and has none yet.
   *
   * @throws A3sError `conflict` where no port is free, `bind-source-missing` and what else a launch
   * with these shares throws, `vmm-failed`
   */
  attachShares(shares: readonly Share[], servers: ShareServers): Promise<void>;
  /** Detaches the disks of a name and closes their files. `vmm-failed`: the guest keeps them. */
  detachDisks(name: string): Promise<void>;
  /**
   * Attaches a network card, in place of one of the same number. A confidential VM has its cards
   * from its launch: one of them is led to the tap device then, and keeps its hardware address.
   *
   * @param index of the card; 0 is the one that the VM is launched with
   * @throws A3sError `conflict` where the VM has no place for it, `port-in-use`, `vmm-failed`
   */
  attachNic(index: number, nic: LaterNic): Promise<void>;
  /**
   * Detaches a network card, if there is one. That of a confidential VM stays, and leads nowhere.
   *
   * @throws A3sError `vmm-failed` where the guest keeps the card, which leads nowhere then
   */
  detachNic(index: number): Promise<void>;
  /**
   * The cards that a confidential VM has for good, in their order; undefined: cards come and go.
   */
  cards(): Promise<readonly FixedCard[] | undefined>;
  /** Applies these limits to its processes from now on, in place of the previous ones. */
  applyLimits(limits: HostLimits): Promise<void>;
  /**
   * Virtual processors and RAM that the guest has. A VM of a template may have more than its box
   * asked for.
   */
  size(): Promise<VmSize>;
  /**
   * Gives the guest that runs at least this much RAM.
   *
   * @throws A3sError `conflict` where it has no place for more, `out-of-memory` where it is more
   * than the VM can have, `unsupported-option` for a VM that cannot grow
   */
  growMemory(memoryBytes: number): Promise<void>;
  /**
   * Saves RAM and devices while the VM is paused, and resumes it, unless it was saved to end. When
   * a server dies meanwhile, the VM is resumed when it is adopted.
   */
  save(request: SaveRequest, signal: AbortSignal): Promise<SavedVm>;
  /**
   * Has the VM write to this empty qcow2 image from now on. Its writable layer stays as it is. The
   * VM keeps running. Where this fails, the image is removed, unless the VM may have it.
   */
  coverDisk(overlayPath: string, signal: AbortSignal): Promise<void>;
  /** Ends the VMM and its helpers at once, and returns when they are gone. */
  kill(): Promise<void>;
  /**
   * The measured input of a confidential VM's launch, computed from the very bytes that the VMM was
   * given. Undefined for other VMs, and after adoption.
   */
  readonly launched?: LaunchRecord | undefined;
  /**
   * The last bytes of the guest's console, at most 64 KiB. A confidential VM has no console and
   * returns none.
   */
  console(): Promise<Buffer>;
  /** Resolves when the VM and all its helper processes are gone. Never rejects. */
  readonly exited: Promise<VmExit>;
  /** Releases the VM without touching it; it keeps running. */
  release(): Promise<void>;
}
