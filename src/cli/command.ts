/**
 * What a command is: its flags and operands as data, and one function that does it.
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
  /** What the user called, such as `container ls`. */
  readonly path: string;
}

export interface Command {
  /** After the name, such as `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string;
  readonly description: string;
  readonly flags: readonly Flag[];
  readonly operands: { readonly min: number; readonly max: number };
  /** Everything after the first operand belongs to the program in the box, flags included. */
  readonly passThrough?: true;
  /** Exit status for what the server refuses; Docker's is 125 for run, 1 elsewhere. */
  readonly failureStatus?: number;
  /** Exit status for a command line that cannot be used, where it is not Docker's. */
  readonly usageStatus?: number;
  /** Does it, and gives the exit status. */
  run(invocation: Invocation): Promise<number>;
}
