/**
 * The services of the server that every room may need: the stores, the engine, events, locks and
 * the log.
 *
 * @module
 */
import type { KeyedLock } from '../../async/keyed-lock.ts';
import type { BootSet } from '../../boot/bootset.ts';
import type { Engine } from '../../engine/engine.ts';
import type { GuestArchitecture } from '../../engine/vm/guest-boot.ts';
import type { ImageStore } from '../../images/image.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import type { Networks } from '../../networks/networks.ts';
import type { RelayedNetworks } from '../../networks/relay/relaying-networks.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Snapshots } from '../../snapshots/snapshots.ts';
import type { Templates } from '../../templates/templates.ts';
import type { Volumes } from '../../volumes/volumes.ts';
import type { BoxStore } from '../record/store.ts';
import type { Events } from './events.ts';
import type { PodClaims, PodDirectories } from './pod-claims.ts';

/**
 * The files that a microVM boots from. A boot set that is older than confidential boxes has none
 * for them.
 */
export type BootFiles = Pick<BootSet, 'kernelPath' | 'initrdPath' | 'commandLine'> & {
  readonly architecture?: GuestArchitecture;
  readonly confidential?: BootSet['confidential'];
};

/** Where boxes get their boot sets. */
export interface BootSets {
  /**
   * The id of the boot set that a new box pins. The set is kept as long as a box pins it.
   *
   * @param asked id of an existing set, or the absolute path of a directory with one; without it,
   * the set of this installation
   * @param architecture of the set of this installation
   * @throws A3sError `boot-set-missing`
   */
  current(asked?: string, architecture?: GuestArchitecture): Promise<string>;
  /** @throws A3sError `boot-set-missing` */
  open(id: string): Promise<BootFiles>;
}

/** The server's own log. */
export interface Logger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
}

/** A function takes the services that it uses, and no others. */
export interface Services {
  readonly home: string;
  readonly runtimeDir: string;
  /** How long a guest may take until its agent answers. */
  readonly startTimeoutMs: number;
  readonly host: {
    readonly cpus: number;
    readonly memoryBytes: number;
    readonly architecture: string;
  };
  readonly store: BoxStore;
  readonly pods: PodClaims;
  readonly podMounts: PodDirectories;
  readonly events: Events;
  readonly images: ImageStore;
  readonly registry: Registry;
  readonly boot: BootSets;
  readonly engine: Engine;
  readonly snapshots: Snapshots;
  readonly templates: Templates;
  readonly volumes: Volumes;
  readonly networks: Networks;
  /** Makes networks on the host for the boxes that run in them. */
  readonly hostNetworks: RelayedNetworks;
  readonly log: Logger;
  readonly locks: KeyedLock;
  /** Aborts when the server ends. */
  readonly shutdown: AbortSignal;
  /** The identity that a new box's processes on the host run as. */
  identityFor(taken: Iterable<number>): JailIdentity;
}
