/**
 * A command in the table: its summary in a line, and its module, which is loaded only when it is called.
 *
 * @module
 */
import type { Command } from '../command.ts';

export interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export type Entries = Readonly<Record<string, Entry>>;

export interface Group {
  readonly summary: string;
  /** Exit status for a command line that cannot be used, where it is not Docker's. */
  readonly usageStatus?: number;
  readonly commands: Entries;
}

/** Exit status of a command that reaches no decision, since 1 means that evidence is rejected. */
export const UNUSABLE = 2;

export const entry = (summary: string, load: () => Promise<Command>): Entry => ({ summary, load });
