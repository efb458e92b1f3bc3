/**
 * Devices of a microVM as an engine is asked for them: disks, network cards, shared paths.
 *
 * @module
 */
import type { JailIdentity } from '../../jail/jail.ts';

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

/** A card that a VM has from its launch to its end. */
export interface FixedCard {
  readonly mac: string;
  /** Whether it can be led to another tap device, or to none. */
  readonly redirectable: boolean;
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
