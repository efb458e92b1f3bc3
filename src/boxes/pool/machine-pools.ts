/**
 * Pools as the rest of the server sees them: machines that wait for boxes.
 *
 * @module
 */

import type { Machine } from '../../engine/engine.ts';
import type { Guest } from '../../guest/guest.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { PoolDefinition } from './definition.ts';

/** A pool as people see it. */
export interface PoolSummary extends PoolDefinition {
  /** Of each machine, in bytes. */
  readonly machineBytes: number;
  readonly ready: number;
  readonly state: 'full' | 'filling' | 'failing';
  /** Why the last fill failed; empty where it did not. */
  readonly error: string;
  /** Process ids of the machines that are ready. */
  readonly pids: readonly number[];
}

export interface Expiry {
  /** Milliseconds since 1970. */
  readonly wall: number;
  /** Milliseconds, as `performance.now` tells them. */
  readonly steady: number;
}

/** One machine of a pool, which serves one box, or none. */
export interface PooledMachine {
  readonly machine: Machine;
  readonly identity: JailIdentity;
  readonly guest: Guest;
  readonly taken: TakenTemplate;
  /** What it was restored for. */
  readonly shape: PoolDefinition;
  readonly bootSet: string;
  /** When its template is too old, by either clock: one can be set back, the other stops while the host sleeps. */
  readonly expiry: Expiry;
  /** Its disk of changes. */
  readonly changesPath: string;
  /** Holds that disk, and nothing else. */
  readonly directory: string;
}

/** What of a box's parts decides, besides its description, whether a machine of a pool is fit for it. */
export interface PoolableParts {
  readonly layers: readonly unknown[];
  readonly shares: readonly unknown[];
  /** The box has a disk of changes, from an earlier run. */
  readonly keptChanges: boolean;
}

export interface MachinePools {
  /** Removes what an earlier server left, and begins to fill. Boxes are adopted by then, and what no box has is swept. */
  open(): Promise<void>;
  list(): PoolSummary[];
  /** @throws A3sError `no-such-pool` */
  inspect(name: string): PoolSummary;
  /**
   * Makes a pool, or changes it; it is filled in the background.
   *
   * @throws A3sError `invalid-argument`, `out-of-memory`, `unsupported-option` where there are no templates
   */
  set(definition: PoolDefinition): Promise<PoolSummary>;
  /** @throws A3sError as `Pool.full` */
  full(name: string, signal: AbortSignal): Promise<PoolSummary>;
  /**
   * Removes a pool, and ends its machines.
   *
   * @throws A3sError `no-such-pool`
   */
  remove(name: string): Promise<void>;
  /** A machine for this box, which is the box's from now on; undefined where no pool has one. Nothing waits. */
  take(definition: BoxDefinition, parts: PoolableParts): PooledMachine | undefined;
  /** User ids of its machines. */
  uids(): number[];
  /** Ends all machines. None is taken or made any more. */
  close(): Promise<void>;
}
