/**
 * Templates, as those see them who start machines from them, and those who look after them.
 *
 * @module
 */

import type { MachineShape, Template } from '../engine/engine.ts';
import { A3sError } from '../errors.ts';
import type { JailIdentity } from '../jail/jail.ts';

/** A template that is loaded, and stays so until it is released. */
export interface TakenTemplate {
  readonly template: Template;
  /** The version of the guest protocol that its agent and this server agreed on. */
  readonly protocol: number;
  /**
   * Writes a disk of changes as the template's guest has it mounted: a new sparse file, mode 0600, that belongs to the
   * identity.
   *
   * @throws A3sError `disk-full`; nothing is left then
   */
  writeChanges(path: string, identity: JailIdentity): Promise<void>;
  /** For when the machine is gone, or this server lets go of it. More than once is once. */
  release(): void;
  [Symbol.dispose](): void;
}

/** `making` is not there yet; the others are, and `in use` counts running boxes too that an earlier server started. */
export type TemplateState = 'making' | 'on disk' | 'loaded' | 'in use';

/** One template, for people. */
export interface TemplateSummary {
  /** 64 lower-case hexadecimal digits. */
  readonly key: string;
  readonly state: TemplateState;
  readonly cpus: number;
  /** Of the machine, in bytes. */
  readonly memoryBytes: number;
  /** What its files take on disk; 0 while it is made. */
  readonly sizeBytes: number;
  /** When it was saved, or its making began: RFC 3339. */
  readonly createdAt: string;
  /** Starts from it since this server runs. */
  readonly uses: number;
  /** RFC 3339; undefined before the first. */
  readonly lastUsedAt: string | undefined;
}

/** All that is known of one. */
export interface TemplateDetails extends TemplateSummary {
  /** Everything that its key is the digest of. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly protocol: number | undefined;
  /** From when on it is used no more: RFC 3339. */
  readonly expiresAt: string | undefined;
  readonly files: readonly TemplateFile[];
}

export interface TemplateFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** How far `warm` has come with the template of one shape. */
export interface WarmProgress {
  readonly cpus: number;
  /** Undefined where this host makes none. */
  readonly key: string | undefined;
  readonly step: 'waiting' | 'making' | 'ready';
}

export interface Templates {
  /** Machines start from templates here. */
  readonly enabled: boolean;
  /**
   * A fit template of this shape; undefined where there is none: then the boot goes cold. One that is missing is never
   * waited for; one that is read from disk for the first time is. Never rejects for what is wrong with a template.
   */
  take(shape: MachineShape): Promise<TakenTemplate | undefined>;
  /** A cold boot of this shape has succeeded: its template is made in the background where it is missing. */
  booted(shape: MachineShape): void;
  /** A start from it failed: it is removed, with an event. */
  drop(key: string, reason: string): Promise<void>;
  /**
   * Makes what is missing for machines of the present boot set with so many CPUs, and waits for it.
   *
   * @throws A3sError whatever keeps one from being made: `unsupported-option` where this host makes none, `vmm-failed`,
   *   `agent-timeout`, `disk-full`…; those before it are there
   */
  warm(
    cpus: readonly number[],
    progress: (step: WarmProgress) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Newest first. */
  list(): TemplateSummary[];
  /**
   * By key, or by a prefix of it that no other has.
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
  /** Looks after what an earlier server left, in the background: stale ones go, and shapes that had one get a new one. */
  refresh(): void;
  /** Ends what is being made, and lets go of all that is loaded. Running boxes keep what they map. */
  close(): Promise<void>;
}

/** For a server that has none: every boot goes cold. */
export class NoTemplates implements Templates {
  readonly enabled: boolean = false;

  async take(_shape: MachineShape): Promise<TakenTemplate | undefined> {
    return undefined;
  }

  booted(_shape: MachineShape): void {
    // Nothing is made.
  }

  async drop(_key: string, _reason: string): Promise<void> {
    // Nothing is there.
  }

  async warm(): Promise<void> {
    throw new A3sError('unsupported-option', 'Cannot make templates: they are switched off', {
      remedy: 'Start the server without A3S_TEMPLATES=off.',
    });
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

export function noSuchTemplate(reference: string): A3sError {
  return new A3sError('no-such-template', `No such template: ${reference.slice(0, 128)}`);
}
