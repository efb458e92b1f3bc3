/**
 * What an engine is: something that turns a machine description into a running virtual machine
 * and hands back a byte stream to the agent inside. Engines know no images and no HTTP.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import type { CellIdentity } from '../cell/cell.ts';

export interface Disk {
  /** Absolute path of a raw image. */
  readonly path: string;
  /** Serial by which the guest finds it, at most 20 bytes. */
  readonly serial: string;
  readonly readonly: boolean;
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
   * Symbolic links are followed once, at launch.
   */
  readonly path: string;
  readonly readonly: boolean;
}

/** Everything an engine needs to start one virtual machine. */
export interface MachineSpec {
  /** The box's id: 64 lower-case hexadecimal digits. Names the process, so that it is found again. */
  readonly id: string;
  /** Per-box directory with a short path, for sockets. Made and removed by the caller. */
  readonly runtimeDir: string;
  /** Who the VMM and its helpers run as. */
  readonly identity: CellIdentity;
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
}

export interface MachineExit {
  /** `poweroff`: the guest ended by itself; `panic`: its kernel did; `killed`: by us; `crashed`: the VMM. */
  readonly reason: 'poweroff' | 'panic' | 'killed' | 'crashed';
  /** One line for people, empty where there is nothing to add. */
  readonly detail: string;
}

/** A running virtual machine. Outlives the object and the process that hold it. */
export interface Machine {
  readonly id: string;
  /** Process id of the VMM, 0 where there is no process. */
  readonly pid: number;
  /** Opens the control stream. At most one at a time; a second one ends the first. */
  connect(signal: AbortSignal): Promise<Duplex>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends the VMM and its helpers at once, and returns when they are gone. */
  kill(): Promise<void>;
  /** The last bytes of the guest's console, at most 64 KiB. */
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

export interface Engine {
  readonly name: string;
  report(): Promise<EngineReport>;
  /** Starts a machine; rejects with `A3sError` and leaves nothing behind when it cannot. */
  launch(spec: MachineSpec, signal: AbortSignal): Promise<Machine>;
  /**
   * Finds the machine of a box that an earlier server started; undefined when it no longer runs, or never came to run.
   * Rejects with `vmm-failed` when there is one that does not answer: it was left as it is.
   */
  adopt(id: string, runtimeDir: string): Promise<Machine | undefined>;
  /** Ends what an earlier server's machine left behind (passt, virtiofsd of a dead VMM). */
  sweep(id: string, runtimeDir: string): Promise<void>;
}
