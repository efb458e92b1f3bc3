/**
 * The dependencies and settings of the template store.
 *
 * @module
 */
import type { Engine } from '../engine/engine.ts';
import type { VmShape } from '../engine/vm/template.ts';
import type { Clock } from './template-directory.ts';

export type TemplateAction =
  | 'create'
  | 'fail'
  | 'miss'
  | 'drop'
  | 'evict'
  | 'expire'
  | 'stale'
  | 'remove';

export interface TemplateStoreOptions {
  /** The directory exists, and belongs to this user alone. */
  readonly directory: string;
  /** The directory that holds the VMs' directories. */
  readonly runtimeDir: string;
  readonly engine: Engine;
  readonly boot: {
    current(): Promise<string>;
    open(id: string): Promise<VmShape['boot']>;
  };
  /** How long a guest may take until its agent answers. */
  readonly bootMs: number;
  readonly limits: {
    readonly max: number;
    readonly maxAgeMs: number;
    /** The memory limit of all loaded templates together. */
    readonly memoryBytes: number;
  };
  /** Keys of the templates that VMs of running boxes are copies of. */
  inUse(): ReadonlySet<string>;
  /** Ids of the boot sets that boxes have pinned. */
  pinned(): Iterable<string>;
  /** Resolves when no box is being started. */
  quiet(): Promise<void>;
  tell(action: TemplateAction, key: string, attributes: Readonly<Record<string, string>>): void;
  readonly log: {
    info(message: string, fields?: Readonly<Record<string, unknown>>): void;
    error(message: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
  };
  readonly clock?: Clock;
}
