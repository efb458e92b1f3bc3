/**
 * Templates: what VMs that start as copies of one have in common, and what makes one.
 *
 * @module
 */
import type { JailIdentity } from '../../jail/jail.ts';
import type { GuestBoot } from './guest-boot.ts';
import type { Vm } from './vm.ts';

/** The properties that VMs share whose boxes can start from one template. */
export interface VmShape {
  readonly cpus: number;
  readonly boot: GuestBoot;
  /** As `VmSpec.sparePorts`. A template has at least those of `HOTPLUG_CAPACITY`. */
  readonly sparePorts?: number | undefined;
}

/** A VM that was booted, prepared and stopped once. Other VMs start as copies of it. */
export interface Template {
  /** Digest of everything that it depends on: 64 lower-case hexadecimal digits. */
  readonly key: string;
  readonly shape: VmShape;
  /** The size of its RAM. A VM that needs more gets the rest attached. */
  readonly memoryBytes: number;
  /**
   * Descriptor of its RAM, open for reading. Any identity can open it again through
   * `/proc/self/fd`.
   */
  readonly ram: number;
  /** Path of its devices' state. */
  readonly devicePath: string;
}

/** What an engine needs to make a template. */
export interface TemplateRequest {
  /** Names the VM while it runs: 64 lower-case hexadecimal digits. */
  readonly id: string;
  readonly runtimeDir: string;
  readonly identity: JailIdentity;
  readonly shape: VmShape;
  /** An empty writable layer. Afterwards it is as the guest left it, mounted. */
  readonly writableLayerPath: string;
  /**
   * Descriptor of an empty file in memory that the identity may write. Afterwards it holds the RAM.
   */
  readonly ram: number;
  /** The path that the devices' state is written to: a new file, mode 0600. */
  readonly devicePath: string;
  /**
   * Called with the running VM. When it returns, the guest has to be ready and no connection open.
   */
  prepare(vm: Vm, signal: AbortSignal): Promise<void>;
}
