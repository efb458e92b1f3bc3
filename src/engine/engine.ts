/**
 * What an engine is: something that turns a machine description into a running virtual machine
 * and hands back a byte stream to the agent inside. Engines know no images and no HTTP.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import type { LaunchRecord, VcpuType } from '@a3s-box/attestation/measure';
import type { JailIdentity } from '../jail/jail.ts';

export interface Disk {
  /** Absolute path of a raw image. */
  readonly path: string;
  /** Serial by which the guest finds it, at most 20 bytes. */
  readonly serial: string;
  readonly readonly: boolean;
  /** What the image is a layer over, lowest first: the lowest is raw; those above it, and the image itself, are qcow2. */
  readonly backing?: readonly string[] | undefined;
}

export interface PortForward {
  readonly hostIp: string;
  readonly hostPort: number;
  readonly boxPort: number;
  readonly protocol: 'tcp';
}

export interface Nic {
  readonly mac: string;
  readonly ports: readonly PortForward[];
}

/** The name of a shared file inside its virtio-fs device. */
export const SHARED_FILE = 'file';

/** Something of the host that the guest may mount by its tag. */
export interface Share {
  readonly tag: string;
  /**
   * A directory, or a regular file: then the guest sees a directory with that one file in it, named `SHARED_FILE`.
   * Symbolic links are followed once, at launch, unless it is `resolved`.
   */
  readonly path: string;
  readonly readonly: boolean;
  /** It has no links in it: one that is there is another's, and refused. */
  readonly resolved?: boolean;
}

/** What machines have in common whose boxes can start from one template. */
export interface MachineShape {
  readonly cpus: number;
  readonly boot: MachineSpec['boot'];
}

/**
 * Serials of the disks that every templated machine has from the start, in its slots. The guest has mounted the disk of
 * changes when the template is saved, so that a box which starts from it brings a copy of the template's; layers
 * beyond the slots, a disk of changes that has been used before, and shares are plugged in after the start.
 */
export const TEMPLATE_SLOTS = {
  changes: 'changes',
  layers: ['layer-0', 'layer-1', 'layer-2', 'layer-3', 'layer-4', 'layer-5', 'layer-6'],
} as const;

/** Room for what has no slot: root ports, each with so many disks, or shares, but not both. */
export const TEMPLATE_PLUGS = { ports: 4, functions: 8 } as const;

/** A machine that was booted, prepared and stopped once: others start as copies of it. */
export interface Template {
  /** Digest of everything that it depends on: 64 lower-case hexadecimal digits. */
  readonly key: string;
  readonly shape: MachineShape;
  /** Of its RAM. A machine that needs more gets the rest plugged in. */
  readonly memoryBytes: number;
  /** Descriptor of its RAM, open for reading; any identity can open it anew by way of `/proc/self/fd`. */
  readonly ram: number;
  /** Path of its devices' state. */
  readonly devicePath: string;
}

/** What is needed to make one. */
export interface TemplateRequest {
  /** Names the machine while it runs: 64 lower-case hexadecimal digits. */
  readonly id: string;
  readonly runtimeDir: string;
  readonly identity: JailIdentity;
  readonly shape: MachineShape;
  /** An empty disk of changes; afterwards as the guest left it, mounted. */
  readonly changesPath: string;
  /** Descriptor of an empty file in memory that the identity may write; afterwards the RAM. */
  readonly ram: number;
  /** Where the devices' state is written: a new file, mode 0600. */
  readonly devicePath: string;
  /** Called with the running machine; when it returns, the guest has to be ready, and nobody connected. */
  prepare(machine: Machine, signal: AbortSignal): Promise<void>;
}

/** Serials that a box's disk of changes may have, in the order in which they count. */
export const CHANGES_SERIALS = ['changes-kept', TEMPLATE_SLOTS.changes] as const;

/** Part of a file that holds RAM. */
export interface RamExtent {
  readonly offset: number;
  readonly bytes: number;
}

/** A machine as it was saved while it ran: what its copies have to be like. */
export interface SavedMachine {
  /** Where its devices are: a machine that booted by itself has them elsewhere than one that came from a template. */
  readonly arrangement: 'boot' | 'template';
  /** Of its disk of changes. */
  readonly changesSerial: (typeof CHANGES_SERIALS)[number];
  readonly memory: RamExtent;
  /** RAM that was plugged in. */
  readonly growth?: RamExtent | undefined;
}

/** What is needed to save a machine that runs on. */
export interface SaveRequest {
  /** A private directory in memory. Afterwards it holds RAM and state, under these names. */
  readonly directory: string;
  /** An empty qcow2 image, which the machine's writes go to from then on; its disk of changes stays as it was. */
  readonly overlayPath: string;
}

/** The files of a saved machine. */
export const SAVED_FILES = { ram: 'ram', state: 'state' } as const;

/** A saved machine, to start as a copy of. */
export interface SavedCopy extends SavedMachine {
  /** Descriptor of its RAM, open for reading; any identity can open it anew by way of `/proc/self/fd`. */
  readonly ram: number;
  /** Descriptor of its state, open for reading. */
  readonly state: number;
}

/** Who answers for a confidential guest: the hardware, or the processor that stands in for it. */
export const TEES = ['snp', 'simulated'] as const;
export type Tee = (typeof TEES)[number];

/** What a confidential machine is launched with beside kernel, initrd and command line. */
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
  /** Where the simulated processor keeps what it launched, so that a later server goes on; read and written by the server alone. */
  readonly guestStatePath: string;
}

/** What the processes of a machine are held to on the host. */
export interface HostLimits {
  /** Processors that they may run on; empty: every one; undefined: as it is. */
  readonly processors?: readonly number[] | undefined;
  /** Of all their threads; undefined: as it is. */
  readonly nice?: number | undefined;
  /** Of the disk of changes, in bytes or operations a second; 0: unlimited. */
  readonly disk: {
    readonly readBps: number;
    readonly writeBps: number;
    readonly readIops: number;
    readonly writeIops: number;
  };
}

/** Everything an engine needs to start one virtual machine. */
export interface MachineSpec {
  /** The box's id: 64 lower-case hexadecimal digits. Names the process, so that it is found again. */
  readonly id: string;
  /** Per-box directory with a short path, for sockets. Made and removed by the caller. */
  readonly runtimeDir: string;
  /** Who the VMM and its helpers run as. */
  readonly identity: JailIdentity;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly boot: {
    readonly kernelPath: string;
    readonly initrdPath: string;
    readonly commandLine: readonly string[];
  };
  readonly disks: readonly Disk[];
  readonly nic: Nic | undefined;
  readonly shares: readonly Share[];
  /** Starts as a copy of it instead of booting; same shape, and disks with the serials of its slots go there. */
  readonly template?: Template | undefined;
  /** Goes on as a copy of a machine that ran; same shape, and the disks have the same serials. */
  readonly copyOf?: SavedCopy | undefined;
  /** Launched measured; then it boots by itself, and has neither template, shares nor console. */
  readonly confidential?: ConfidentialLaunch | undefined;
  /** In force when the machine is launched; absent: none. */
  readonly hostLimits?: HostLimits | undefined;
}

export interface MachineSize {
  readonly cpus: number;
  readonly memoryBytes: number;
}

export interface MachineExit {
  /** `poweroff`: the guest ended by itself; `panic`: its kernel did; `killed`: by us; `crashed`: the VMM. */
  readonly reason: 'poweroff' | 'panic' | 'killed' | 'crashed';
  /** One line for people, empty where there is nothing to add. */
  readonly detail: string;
}

/** The control stream of a machine, which counts its bytes as a socket does. */
export interface ControlStream extends Duplex {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** A running virtual machine. Outlives the object and the process that hold it. */
export interface Machine {
  readonly id: string;
  /** Process id of the VMM, 0 where there is no process. */
  readonly pid: number;
  /** Opens the control stream. At most one at a time; a second one ends the first. */
  connect(signal: AbortSignal): Promise<ControlStream>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * Puts read-only disks into slots that were empty when the machine started from its template. Its guest has not looked
   * at them yet.
   */
  insert(disks: readonly Disk[]): Promise<void>;
  /** Holds its processes to these from now on, in place of what they were held to. */
  applyLimits(limits: HostLimits): Promise<void>;
  /** Virtual processors and RAM that the guest has: more than the box asked for, in a copy. */
  size(): Promise<MachineSize>;
  /**
   * Saves RAM and devices while the machine stands still, and has it go on, whatever happened. A server that dies meanwhile
   * leaves a machine that goes on when it is adopted.
   */
  save(request: SaveRequest, signal: AbortSignal): Promise<SavedMachine>;
  /** Ends the VMM and its helpers at once, and returns when they are gone. */
  kill(): Promise<void>;
  /** What was handed to the VMM of a confidential machine, measured from the very bytes; undefined for another, and once adopted. */
  readonly launched?: LaunchRecord | undefined;
  /** The last bytes of the guest's console, at most 64 KiB; none of a confidential machine, which has no console. */
  console(): Promise<Buffer>;
  /** Settles when the machine is gone, never rejects. All its helper processes are gone by then. */
  readonly exited: Promise<MachineExit>;
  /** Lets go of the machine without touching it: it runs on. */
  release(): Promise<void>;
}

/** What an engine can do on this host, and why not where it cannot. */
export interface EngineReport {
  readonly name: string;
  readonly available: boolean;
  readonly version: string | undefined;
  /** Why it is not available; what to install. */
  readonly reason: string | undefined;
  readonly accelerators: readonly Capability[];
  readonly tees: readonly Capability[];
}

export interface Capability {
  readonly name: string;
  readonly available: boolean;
  readonly reason: string | undefined;
}

/** Below the runtime directory: where an engine starts machines to find something out with. A server that dies leaves them. */
export const PROBE_DIRECTORIES = { accelerator: 'probe', cpuModel: 'cpu' } as const;

export interface Engine {
  readonly name: string;
  report(): Promise<EngineReport>;
  /** Starts a machine; rejects with `A3sError` and leaves nothing behind when it cannot. */
  launch(spec: MachineSpec, signal: AbortSignal): Promise<Machine>;
  /** A confidential machine will be launched: begins what takes long the first time, in the background. Never fails. */
  expectConfidential(tee: Tee): void;
  /**
   * What a template of this shape depends on beside the guest's own state: digests of kernel, initrd and VMM, the
   * expanded CPU model, accelerator, arguments. Undefined where this engine makes none.
   */
  templateInputs(shape: MachineShape): Promise<Readonly<Record<string, string>> | undefined>;
  /** RAM of every template, in bytes. */
  readonly templateMemoryBytes: number;
  /** Boots, prepares, stops and saves a machine; rejects with `A3sError` and leaves no process behind when it cannot. */
  makeTemplate(request: TemplateRequest, signal: AbortSignal): Promise<void>;
  /**
   * Finds the machine of a box that an earlier server started; undefined when it no longer runs, or never came to run.
   * Rejects with `vmm-failed` when there is one that does not answer: it was left as it is.
   */
  adopt(
    id: string,
    runtimeDir: string,
    confidential?: Pick<ConfidentialLaunch, 'tee' | 'guestStatePath'>,
  ): Promise<Machine | undefined>;
  /** Settles when nothing that it does by itself is under way; machines run on. */
  close(): Promise<void>;
  /** Ends what an earlier server's machine left behind (passt, virtiofsd of a dead VMM). */
  sweep(id: string, runtimeDir: string): Promise<void>;
}
