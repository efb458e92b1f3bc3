/**
 * What the verbs of boxes need of the server.
 *
 * @module
 */
import { join } from 'node:path';
import type { KeyedLock } from '../async/keyed-lock.ts';
import type { BootSet } from '../boot/bootset.ts';
import type { Engine } from '../engine/engine.ts';
import type { ImageStore } from '../images/image.ts';
import type { JailIdentity } from '../jail/jail.ts';
import type { Registry } from '../registry/registry.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import type { Templates } from '../templates/templates.ts';
import type { Volumes } from '../volumes/volumes.ts';
import type { Outputs } from './output/outputs.ts';
import type { Trust } from './policy/trust-policies.ts';
import type { VmPools } from './pool/vm-pools.ts';
import type { Box } from './record/box.ts';
import type { BoxStore } from './record/store.ts';
import type { Restarts } from './restart/restarts.ts';
import type { Execs } from './run/execs.ts';
import type { RunningBoxes } from './run/running-box.ts';
import type { Events } from './services/events.ts';

/** The files that a microVM boots from. A boot set that is older than confidential boxes has none for them. */
export type BootFiles = Pick<BootSet, 'kernelPath' | 'initrdPath' | 'commandLine'> & {
  readonly confidential?: BootSet['confidential'];
};

/** Where boxes get their boot sets. */
export interface BootSets {
  /**
   * The id of the boot set that a new box pins. The set is kept as long as a box pins it.
   *
   * @param asked id of an existing set, or the absolute path of a directory with one; without it, the set of this
   * installation
   * @throws A3sError `boot-set-missing`
   */
  current(asked?: string): Promise<string>;
  /** @throws A3sError `boot-set-missing` */
  open(id: string): Promise<BootFiles>;
}

/** The server's own log. */
export interface Logger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Runtime {
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
  readonly events: Events;
  readonly images: ImageStore;
  readonly registry: Registry;
  readonly trust: Trust;
  readonly boot: BootSets;
  readonly engine: Engine;
  readonly snapshots: Snapshots;
  readonly templates: Templates;
  readonly pools: VmPools;
  readonly volumes: Volumes;
  readonly log: Logger;
  readonly running: RunningBoxes;
  readonly outputs: Outputs;
  readonly execs: Execs;
  readonly locks: KeyedLock;
  readonly restarts: Restarts;
  /** Aborts when the server ends. */
  readonly shutdown: AbortSignal;
  /** The identity that a new box's processes on the host run as. */
  identityFor(taken: Iterable<number>): JailIdentity;
}

/** The directory of a box's disk and output. */
export function boxDirectory(rt: Pick<Runtime, 'home'>, id: string): string {
  return join(rt.home, 'boxes', id);
}

/** The directory of a running box's sockets. It is short, since socket paths are bounded. */
export function runtimeDirectory(rt: Pick<Runtime, 'runtimeDir'>, id: string): string {
  return join(rt.runtimeDir, id.slice(0, 12));
}

/** Publishes an event of a box. */
export function publish(
  rt: Pick<Runtime, 'events'>,
  box: Box,
  action: string,
  more: Readonly<Record<string, string>> = {},
): void {
  const { definition, name } = box;
  const attributes = { ...definition.labels, image: definition.image.reference, name, ...more };
  rt.events.publish('container', action, definition.id, attributes);
}

/** Publishes that a box begins, or ends, to have its volumes. */
export function publishVolumes(
  { events }: Pick<Runtime, 'events'>,
  { definition: { id, volumeMounts } }: Box,
  action: 'mount' | 'unmount',
): void {
  for (const { name, destination, readonly } of volumeMounts) {
    const attributes = { container: id, driver: 'local' };
    const place = { destination, propagation: '', 'read/write': String(!readonly) };
    events.publish('volume', action, name, {
      ...attributes,
      ...(action === 'mount' ? place : {}),
    });
  }
}
