/**
 * The type of a command: its flags and operands as data, and one function that runs it.
 *
 * @module
 */
import type { Context } from './context.ts';
import type { Flag } from './flags/flag.ts';
import type { FlagValues } from './flags/flag-values.ts';

export interface Invocation {
  readonly context: Context;
  readonly flags: FlagValues;
  readonly operands: readonly string[];
  /** The name that the user called, such as `container ls`. */
  readonly path: string;
}

export interface Command {
  /** The usage after the name, such as `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string;
  /** What its help says, where that is more than the summary in the table of commands. */
  readonly description?: string;
  readonly flags: readonly Flag[];
  readonly operands: { readonly min: number; readonly max: number };
  /** Everything after the first operand belongs to the program in the box, flags included. */
  readonly passThrough?: true;
  /** Everything is an operand, also what looks like a flag; `--help` alone is not. */
  readonly verbatim?: true;
  /** Exit status for a refusal of the server; Docker's is 125 for run, 1 elsewhere. */
  readonly failureStatus?: number;
  /** Exit status for a command line that cannot be used, where it is not Docker's. */
  readonly usageStatus?: number;
  /** Runs the command, and returns the exit status. */
  run(invocation: Invocation): Promise<number>;
}
