/**
 * A command in the table: its summary in a line, and its module, which is loaded only when it is
 * called.
 *
 * @module
 */
import type { Command } from './command.ts';

/** A command with the description that its help shows. */
export interface DescribedCommand extends Command {
  readonly description: string;
}

export interface Entry {
  readonly summary: string;
  readonly load: () => Promise<DescribedCommand>;
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

export function entry(summary: string, load: () => Promise<Command>): Entry {
  return { summary, load: async () => ({ description: summary, ...(await load()) }) };
}
