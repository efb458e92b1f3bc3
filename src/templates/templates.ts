/**
 * The interface of templates: for code that starts VMs from them, and for code that manages them.
 *
 * @module
 */

import type { Template, VmShape } from '../engine/vm/template.ts';
import { A3sError } from '../errors.ts';
import type { JailIdentity } from '../jail/jail.ts';

/** A template that is loaded, and stays loaded until it is released. */
export interface TakenTemplate {
  readonly template: Template;
  /** The version of the guest protocol that its agent and this server agreed on. */
  readonly protocol: number;
  /**
   * Writes a writable layer as the template's guest has it mounted: a new sparse file, mode 0600,
   * that belongs to the identity.
   *
   * @throws A3sError `disk-full`; nothing is left then
   */
  writeChanges(path: string, identity: JailIdentity): Promise<void>;
  /** Called when the VM is gone, or this server releases it. Repeated calls have no effect. */
  release(): void;
  [Symbol.dispose](): void;
}

/**
 * `making`: the template does not exist yet; the others do. `in use` also counts running boxes that
 * an earlier server started.
 */
export type TemplateState = 'making' | 'on disk' | 'loaded' | 'in use';

/** One template, for people. */
export interface TemplateSummary {
  /** 64 lower-case hexadecimal digits. */
  readonly key: string;
  readonly state: TemplateState;
  readonly cpus: number;
  /** The RAM of the VM, in bytes. */
  readonly memoryBytes: number;
  /** The size of its files on disk; 0 while it is made. */
  readonly sizeBytes: number;
  /** When it was saved, or when its build began: RFC 3339. */
  readonly createdAt: string;
  /** Starts from it since this server started. */
  readonly uses: number;
  /** The last use, RFC 3339; undefined before the first. */
  readonly lastUsedAt: string | undefined;
}

/** Every known fact about one template. */
export interface TemplateDetails extends TemplateSummary {
  /** The inputs whose digest is its key. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly protocol: number | undefined;
  /** The time from which it is no longer used: RFC 3339. */
  readonly expiresAt: string | undefined;
  readonly files: readonly TemplateFile[];
}

export interface TemplateFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The progress of `warm` with the template of one shape. */
export interface WarmProgress {
  readonly cpus: number;
  /** Undefined where this host makes none. */
  readonly key: string | undefined;
  readonly step: 'waiting' | 'making' | 'ready';
}

export interface Templates {
  /** VMs start from templates on this server. */
  readonly enabled: boolean;
  /**
   * A usable template of this shape; when it is undefined, the box boots without one. A missing
   * template is never waited for; the first read from disk is. Never rejects for a fault of a
   * template.
   */
  take(shape: VmShape): Promise<TakenTemplate | undefined>;
  /**
   * Records that a boot of this shape without a template succeeded: a missing template is made in
   * the background.
   */
  booted(shape: VmShape): void;
  /** Records that a start from it failed: the template is removed, with an event. */
  drop(key: string, reason: string): Promise<void>;
  /**
   * Makes the missing templates for VMs of the present boot set with these numbers of CPUs, and
   * waits for them.
   *
   * @throws A3sError for the first that cannot be made: `unsupported-option` where this host makes
   * none, `vmm-failed`, `agent-timeout`, `disk-full`…; those before it exist
   */
  warm(
    cpus: readonly number[],
    progress: (step: WarmProgress) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Makes the template of this shape, where it is missing, and waits for it.
   *
   * @throws A3sError as `warm`
   */
  make(shape: VmShape, signal: AbortSignal): Promise<void>;
  /** Newest first. */
  list(): TemplateSummary[];
  /**
   * Finds a template by its key, or by a unique prefix of it.
   *
   * @throws A3sError `no-such-template`, `invalid-argument` for a prefix of several
   */
  inspect(reference: string): TemplateDetails;
  /**
   * Removes one, and returns its key.
   *
   * @throws A3sError as `inspect`, and `conflict` for one that is in use or being made
   */
  remove(reference: string): Promise<string>;
  /** Removes all that are not in use. Returns their keys, and the bytes that were freed. */
  prune(): Promise<{ readonly removed: readonly string[]; readonly freedBytes: number }>;
  /**
   * Manages the templates of an earlier server in the background: stale ones are removed, and
   * shapes that had one get a new one.
   */
  refresh(): void;
  /** Ends the running builds, and unloads all templates. Running boxes keep their mappings. */
  close(): Promise<void>;
}

/** For a server without templates: every box boots. */
export class NoTemplates implements Templates {
  readonly enabled: boolean = false;

  async take(_shape: VmShape): Promise<TakenTemplate | undefined> {
    return undefined;
  }

  booted(_shape: VmShape): void {
    // Nothing is made.
  }

  async drop(_key: string, _reason: string): Promise<void> {
    // Nothing is there.
  }

  async warm(): Promise<void> {
    throw switchedOff();
  }

  async make(_shape: VmShape, _signal: AbortSignal): Promise<void> {
    throw switchedOff();
  }

  list(): TemplateSummary[] {
    return [];
  }

  inspect(reference: string): TemplateDetails {
    throw noSuchTemplate(reference);
  }

  async remove(reference: string): Promise<string> {
    throw noSuchTemplate(reference);
  }

  async prune(): Promise<{ removed: string[]; freedBytes: number }> {
    return { removed: [], freedBytes: 0 };
  }

  refresh(): void {
    // Nothing was left.
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

function switchedOff(): A3sError {
  return new A3sError('unsupported-option', 'Cannot make templates: they are switched off', {
    remedy: 'Start the server without A3S_TEMPLATES=off.',
  });
}

export function noSuchTemplate(reference: string): A3sError {
  return new A3sError('no-such-template', `No such template: ${reference.slice(0, 128)}`);
}
