/**
 * The interface of pools for the rest of the server: microVMs that wait for boxes and pods.
 *
 * @module
 */

import type { Vm } from '../../engine/vm/vm.ts';
import type { Guest } from '../../guest/guest.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { PoolDefinition } from './definition.ts';

/** A pool as it is shown. */
export interface PoolSummary extends PoolDefinition {
  /** The size of each microVM, in bytes. */
  readonly machineBytes: number;
  readonly ready: number;
  readonly state: 'full' | 'filling' | 'failing';
  /** Why the last fill failed; empty where it did not. */
  readonly error: string;
  /** Process ids of the microVMs that are ready. */
  readonly pids: readonly number[];
}

export interface Expiry {
  /** Milliseconds since 1970. */
  readonly wall: number;
  /** Milliseconds, on the clock of `performance.now`. */
  readonly steady: number;
}

/** One microVM of a pool, which serves one box or pod, or none. */
export interface PooledVm {
  readonly vm: Vm;
  readonly identity: JailIdentity;
  readonly guest: Guest;
  readonly taken: TakenTemplate;
  /** The shape that it was started for. */
  readonly shape: PoolDefinition;
  readonly bootSet: string;
  /**
   * When its template is too old, on both clocks: the wall clock can be set back, and the other
   * stops while the host sleeps.
   */
  readonly expiry: Expiry;
  /** Its writable layer. */
  readonly writableLayerPath: string;
  /** The directory of that disk alone. */
  readonly directory: string;
  /**
   * The directory of the node that its file server shows, where it is for a pod; undefined: none.
   */
  readonly shared?: string | undefined;
}

/** What decides whether a pool's microVM fits a pod. */
export interface PoolablePod {
  readonly bootSet: string;
  /** 0: the default. */
  readonly memoryBytes: number;
  /** 0: without a limit. */
  readonly nanoCpus: number;
  readonly privileged: boolean;
}

/** The parts of a box that decide, beside its description, whether a pool's microVM fits it. */
export interface PoolableParts {
  readonly layers: readonly unknown[];
  readonly shares: readonly unknown[];
  readonly mountDisks: readonly unknown[];
  /** The box has a writable layer from an earlier run. */
  readonly keptChanges: boolean;
}

export interface VmPools {
  /**
   * Removes what an earlier server left, and begins to fill the pools. Boxes must be adopted
   * before, since microVMs that no box has are swept.
   */
  open(): Promise<void>;
  list(): PoolSummary[];
  /** @throws A3sError `no-such-pool` */
  inspect(name: string): PoolSummary;
  /**
   * Creates a pool, or changes it. It is filled in the background.
   *
   * @throws A3sError `invalid-argument`, `out-of-memory`, `unsupported-option` where there are no
   * templates
   */
  set(definition: PoolDefinition): Promise<PoolSummary>;
  /** @throws A3sError as `Pool.full` */
  full(name: string, signal: AbortSignal): Promise<PoolSummary>;
  /**
   * Removes a pool, and ends its microVMs.
   *
   * @throws A3sError `no-such-pool`
   */
  remove(name: string): Promise<void>;
  /**
   * Takes a microVM, which belongs to this box from now on; undefined where no pool has one.
   * Nothing waits.
   */
  take(definition: BoxDefinition, parts: PoolableParts): PooledVm | undefined;
  /**
   * Takes a microVM for a pod, which has its id and its identity from then on. Nothing waits.
   *
   * @param record puts the pod on record; where it throws, the microVM stays in its pool
   * @returns the microVM, or why each pool of pods has none for it, by their names
   */
  takeForPod(
    pod: PoolablePod,
    record: (pooled: PooledVm) => void,
  ): { readonly pooled: PooledVm } | { readonly reasons: Readonly<Record<string, string>> };
  /** The user ids of the pools' microVMs. */
  uids(): number[];
  /** Ends all microVMs. None is taken or started any more. */
  close(): Promise<void>;
}
