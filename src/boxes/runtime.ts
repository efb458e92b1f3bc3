/**
 * What the verbs of a box work with.
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
import type { Events } from './events.ts';
import type { Outputs } from './output/outputs.ts';
import type { Trust } from './policy/trust-policies.ts';
import type { MachinePools } from './pool/machine-pools.ts';
import type { Box } from './record/box.ts';
import type { BoxStore } from './record/store.ts';
import type { Restarts } from './restart/restarts.ts';
import type { Execs } from './run/execs.ts';
import type { RunningBoxes } from './run/running-box.ts';

/** What a machine boots from; a set that is older than confidential boxes has nothing for them. */
export type BootFiles = Pick<BootSet, 'kernelPath' | 'initrdPath' | 'commandLine'> & {
  readonly confidential?: BootSet['confidential'];
};

/** Where boxes get what they boot from. */
export interface BootSets {
  /**
   * Id of the set that a new box pins; kept as long as a box pins it.
   *
   * @param asked id of a set that is there, or the absolute path of a directory with one; without it, the set of this installation
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
  readonly pools: MachinePools;
  readonly log: Logger;
  readonly running: RunningBoxes;
  readonly outputs: Outputs;
  readonly execs: Execs;
  readonly locks: KeyedLock;
  readonly restarts: Restarts;
  /** Aborts when the server ends. */
  readonly shutdown: AbortSignal;
  /** Who a new box's processes run as. */
  identityFor(taken: Iterable<number>): JailIdentity;
}

/** Where a box's disk and output lie. */
export function boxDirectory(rt: Pick<Runtime, 'home'>, id: string): string {
  return join(rt.home, 'boxes', id);
}

/** Where a running box's sockets lie; short, since socket paths are bounded. */
export function runtimeDirectory(rt: Pick<Runtime, 'runtimeDir'>, id: string): string {
  return join(rt.runtimeDir, id.slice(0, 12));
}

/** Tells of something that happened to a box. */
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
