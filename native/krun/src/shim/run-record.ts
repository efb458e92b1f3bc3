/**
 * What became of a microVM, in a file: written by the shim and its monitor, read by the server that
 * started them or by a later one.
 *
 * The VMM runs in the shim's process. Once a guest has taken it over, it can write lines of its
 * own; so a reader takes from the file what it would take from the exit status of the process.
 *
 * @module
 */
import * as z from 'zod/mini';

/** More than this is never read. */
export const RECORD_BYTES = 16 * 1024;

const line = z.discriminatedUnion('state', [
  /** The shim has configured the microVM, and hands the process over to libkrun. */
  z.strictObject({
    state: z.literal('entering'),
    library: z.string(),
    atLeast: z.string(),
    /** Whether SIGTERM asks the guest to shut down. */
    shutdown: z.boolean(),
  }),
  /** The shim or libkrun refused. */
  z.strictObject({ state: z.literal('failed'), code: z.string(), message: z.string() }),
  /** The process has ended; 128 and the number of the signal that ended it, as in a shell. */
  z.strictObject({
    state: z.literal('ended'),
    status: z.int().check(z.minimum(0), z.maximum(255)),
  }),
]);

export type RunLine = z.infer<typeof line>;

export interface RunRecord {
  readonly entering: Extract<RunLine, { state: 'entering' }> | undefined;
  readonly failed: Extract<RunLine, { state: 'failed' }> | undefined;
  /** Undefined while it runs, and where the monitor was killed too. */
  readonly status: number | undefined;
}

export function writeLine(entry: RunLine): string {
  return `${JSON.stringify(entry)}\n`;
}

/** The last line of each kind counts; what is no such line is passed over. */
export function readRecord(text: string): RunRecord {
  const lines = text.slice(-RECORD_BYTES).split('\n').flatMap(parseLine);
  const last = <S extends RunLine['state']>(state: S) =>
    lines.findLast((each): each is Extract<RunLine, { state: S }> => each.state === state);
  return { entering: last('entering'), failed: last('failed'), status: last('ended')?.status };
}

function parseLine(text: string): RunLine[] {
  if (text === '') return [];
  try {
    const parsed = line.safeParse(JSON.parse(text));
    return parsed.success ? [parsed.data] : [];
  } catch {
    return [];
  }
}
