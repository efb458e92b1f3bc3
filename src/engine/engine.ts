/**
 * The interface of an engine. An engine turns a VM's description into a running microVM and
 * returns a byte stream to the agent inside. Engines know nothing of images or HTTP.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import type { LaunchRecord, VcpuType } from '@a3s-box/attestation/measure';
import type { JailIdentity } from '../jail/jail.ts';
import type { EngineName } from './engine-name.ts';
import type { EngineReport } from './engine-report.ts';

export interface Disk {
  /** Absolute path of a raw image. */
  readonly path: string;
  /** Serial by which the guest finds it, at most 20 bytes. */
  readonly serial: string;
  readonly readonly: boolean;
  /**
   * The images below this one, lowest first. The lowest is raw; those above it, and this image
   * itself, are qcow2.
   */
  readonly backing?: readonly string[] | undefined;
}

export interface PortForward {
  readonly hostIp: string;
  readonly hostPort: number;
  readonly boxPort: number;
  readonly protocol: 'tcp' | 'udp';
}

export interface Nic {
  readonly mac: string;
  readonly ports: readonly PortForward[];
  /**
   * Descriptor of the tap device that takes the card's frames. The engine lends it to the VMM; the
   * caller closes it. Absent: a translator takes them, and publishes the ports; a card with a tap
   * device has none.
   */
  readonly tap?: number | undefined;
  /** Whether the card of a confidential VM can be led to a tap device later, by `attachNic`. */
  readonly redirectable?: boolean | undefined;
  /** The card of a confidential VM leads nowhere yet. It is redirectable, and has no tap device. */
  readonly idle?: boolean | undefined;
}

/** A network card that a VM gets while it runs or is paused. */
export interface LaterNic {
  readonly mac: string;
  /**
   * What takes its frames: a tap device, which is lent, and which the caller closes; or a
   * translator, which is started, and publishes ports. Absent: nothing does.
   */
  readonly uplink?:
    | { readonly tap: number }
    | { readonly ports: readonly PortForward[]; readonly identity: JailIdentity }
    | undefined;
}

/** The name of a shared file inside its virtio-fs device. */
export const SHARED_FILE = 'file';

/** A path of the host that the guest may mount by its tag. */
export interface Share {
  readonly tag: string;
  /**
   * A directory or a regular file. For a regular file the guest sees a directory that holds this
   * one file, named `SHARED_FILE`. Symbolic links are followed once, at launch, unless the path is
   * `resolved`.
   */
  readonly path: string;
  readonly readonly: boolean;
  /**
   * The path contains no links. A link that is found there was put there by somebody else, and is
   * refused.
   */
  readonly resolved?: boolean;
  /**
   * The host mounts filesystems below the path while the VM runs, each of them writable or not. The
   * guest sees them as directories of the share, and files of two of them may have the same inode
   * number. It makes nothing beside them: were the directory writable, it could put a link in place
   * of a mount point.
   */
  readonly mountsBelow?: boolean;
}

/** How the file servers of shares run that are attached later. */
export interface ShareServers {
  /** The VM's. */
  readonly identity: JailIdentity;
  /** Processors of the host that they may run on; absent: all. */
  readonly processors?: readonly number[] | undefined;
}

/** The properties that VMs share whose boxes can start from one template. */
export interface VmShape {
  readonly cpus: number;
  readonly boot: VmSpec['boot'];
  /** As `VmSpec.sparePorts`. A template has at least those of `HOTPLUG_CAPACITY`. */
  readonly sparePorts?: number | undefined;
}

/**
 * Serials of the disks that every templated VM has from the start, in its slots. The guest has
 * mounted the writable layer when the template is saved, so a box that starts from the template
 * brings a copy of the template's writable layer. Layers beyond the slots, a writable layer that
 * has been used before, and shares are attached after the start.
 */
export const TEMPLATE_SLOTS = {
  changes: 'changes',
  layers: ['layer-0', 'layer-1', 'layer-2', 'layer-3', 'layer-4', 'layer-5', 'layer-6'],
} as const;

/**
 * Capacity for devices that have no slot: root ports, each of which takes that many disks or
 * shares, but not both.
 */
export const HOTPLUG_CAPACITY = { ports: 4, functions: 8 } as const;

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

/** Serials that a box's writable layer may have. The first one that a VM has is used. */
export const CHANGES_SERIALS = ['changes-kept', TEMPLATE_SLOTS.changes] as const;

/** A part of a file that holds RAM. */
export interface RamExtent {
  readonly offset: number;
  readonly bytes: number;
}

/** A VM as it was saved while it ran. Its forks must have the same properties. */
export interface SavedVm {
  /**
   * Where its devices are: a VM that booted has them at other places than one that started from a
   * template.
   */
  readonly arrangement: 'boot' | 'template';
  /** The serial of its writable layer. */
  readonly changesSerial: (typeof CHANGES_SERIALS)[number];
  readonly memory: RamExtent;
  /** The size of the RAM that was attached later. */
  readonly growth?: RamExtent | undefined;
}

/** What an engine needs to save a VM that keeps running. */
export interface SaveRequest {
  /** A private directory. Afterwards it holds RAM and state, under these names. */
  readonly directory: string;
  /**
   * An empty qcow2 image, which takes the VM's writes from then on. Its writable layer stays as it
   * was.
   */
  readonly overlayPath: string;
  /**
   * The VM stays paused where it was saved, and the caller ends it: nothing it has writes to any of
   * its disks after that moment. Absent: it resumes.
   */
  readonly ends?: boolean | undefined;
}

/** The files of a saved VM. */
export const SAVED_FILES = { ram: 'ram', state: 'state' } as const;

/** A saved VM that forks start from. */
export interface OpenSavedVm extends SavedVm {
  /**
   * Descriptor of its RAM, open for reading. Any identity can open it again through
   * `/proc/self/fd`.
   */
  readonly ram: number;
  /** Descriptor of its state, open for reading. */
  readonly state: number;
}

/** The processor that serves a confidential guest: the hardware, or the simulated one. */
export const TEES = ['snp', 'simulated'] as const;
export type Tee = (typeof TEES)[number];

/** What a confidential VM is launched with besides kernel, initrd and command line. */
export interface ConfidentialLaunch {
  readonly tee: Tee;
  /** The OVMF image that checks kernel, initrd and command line against the measured table. */
  readonly firmwarePath: string;
  /** vCPU model by QEMU's name, as `VCPU_TYPES` of `@a3s-box/attestation/measure` has it. */
  readonly vcpuType: VcpuType;
  /** POLICY of the launch. */
  readonly policy: bigint;
  /** HOST_DATA: 32 bytes, SHA-256 of the launch spec's text. */
  readonly hostData: Uint8Array;
  /** ID block and its authentication, as SNP_LAUNCH_FINISH takes them. */
  readonly identity?: { readonly block: Uint8Array; readonly auth: Uint8Array } | undefined;
  /**
   * Where the simulated processor keeps the guest that it launched, so that a later server can
   * serve it. Only the server reads and writes it.
   */
  readonly guestStatePath: string;
}

/** The limits of a VM's processes on the host. */
export interface HostLimits {
  /** Processors that they may run on. Empty: all of them; undefined: unchanged. */
  readonly processors?: readonly number[] | undefined;
  /** The nice value of all their threads; undefined: unchanged. */
  readonly nice?: number | undefined;
  /** The limit of the writable layer, in bytes or operations a second; 0: unlimited. */
  readonly disk: {
    readonly readBps: number;
    readonly writeBps: number;
    readonly readIops: number;
    readonly writeIops: number;
  };
}

/** What executes a guest: the kernel's virtualization, or QEMU's emulator. */
export const ACCELERATORS = ['kvm', 'tcg'] as const;
export type Accelerator = (typeof ACCELERATORS)[number];

/** What a guest runs on, in Go's spelling. */
export type GuestArchitecture = 'amd64' | 'arm64';

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
  readonly boot: {
    readonly kernelPath: string;
    readonly initrdPath: string;
    readonly commandLine: readonly string[];
    /** Of the guest; absent: amd64. */
    readonly architecture?: GuestArchitecture;
  };
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

/** A card that a VM has from its launch to its end. */
export interface FixedCard {
  readonly mac: string;
  /** Whether it can be led to another tap device, or to none. */
  readonly redirectable: boolean;
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

/**
 * A directory below the runtime directory where an engine starts probe VMs. A server that dies
 * leaves them there.
 */
export const PROBE_DIRECTORIES = {
  accelerator: 'probe',
  cpuModel: 'cpu',
  krun: 'krun',
  selfTest: 'self-test',
} as const;

export interface Engine {
  /** The engine of boxes for which none is named; undefined: it is chosen automatically. */
  readonly configured: EngineName | undefined;
  /** What each engine can do on this host. */
  reports(): Promise<readonly EngineReport[]>;
  /** @throws A3sError `engine-unavailable`, with the reason */
  requireAvailable(name: EngineName): Promise<void>;
  /**
   * Whether VMs of the engine are given directories of the host.
   *
   * @param what is refused otherwise, as a verb and its object
   * @throws A3sError `engine-unsupported`
   */
  requireShares(name: EngineName, what: string): Promise<void>;
  /**
   * Starts a VM. When it cannot, it rejects with `A3sError` and leaves nothing behind:
   * `accelerator-unavailable` where the spec names one that this host does not have.
   */
  launch(spec: VmSpec, signal: AbortSignal): Promise<Vm>;
  /**
   * Announces that a confidential VM will be launched: starts in the background what takes long the
   * first time. Never fails.
   */
  expectConfidential(tee: Tee): void;
  /**
   * What a template of this shape depends on besides the guest's own state: digests of kernel,
   * initrd and VMM, the expanded CPU model, accelerator, arguments. Undefined where this engine
   * makes no template of the shape.
   */
  templateInputs(shape: VmShape): Promise<Readonly<Record<string, string>> | undefined>;
  /** The size of every template's RAM, in bytes. */
  readonly templateMemoryBytes: number;
  /**
   * Boots, prepares, stops and saves a VM. When it cannot, it rejects with `A3sError` and leaves no
   * process behind.
   */
  makeTemplate(request: TemplateRequest, signal: AbortSignal): Promise<void>;
  /**
   * Finds the VM of a box that an earlier server started. Undefined when the VM no longer runs, or
   * never came to run. Rejects with `vmm-failed` when the VM does not answer, and leaves it as it
   * is.
   */
  adopt(
    id: string,
    runtimeDir: string,
    confidential?: Pick<ConfidentialLaunch, 'tee' | 'guestStatePath'>,
  ): Promise<Vm | undefined>;
  /** Resolves when the engine has no background work left; VMs keep running. */
  close(): Promise<void>;
  /**
   * Ends the helper processes that an earlier server's VM left behind (passt, virtiofsd of a dead
   * VMM).
   */
  sweep(id: string, runtimeDir: string): Promise<void>;
}
