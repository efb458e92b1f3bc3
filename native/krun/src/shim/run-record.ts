/**
 * What became of a microVM, in two files: one that the shim writes, and one that its monitor
 * writes. The server that started them or a later one reads both.
 *
 * The VMM runs in the shim's process. Once a guest has taken it over, it can write any bytes to the
 * shim's file. The exit status is therefore in the monitor's, which the shim does not have open.
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
    /** Functions that the library lacks. */
    missing: z.readonly(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(128))),
  }),
  /** The shim or libkrun refused. */
  z.strictObject({ state: z.literal('failed'), code: z.string(), message: z.string() }),
]);

/** The shim has ended; 128 and the number of the signal that ended it, as in a shell. */
const ending = z.strictObject({ status: z.int().check(z.minimum(0), z.maximum(255)) });

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

/**
 * The last line of each kind counts; what is no such line is passed over.
 *
 * @param shim what the shim's file has
 * @param monitor what the monitor's file has
 */
export function readRecord(shim: string, monitor: string): RunRecord {
  const lines = parseLines(line, shim);
  const last = <S extends RunLine['state']>(state: S) =>
    lines.findLast((each): each is Extract<RunLine, { state: S }> => each.state === state);
  return {
    entering: last('entering'),
    failed: last('failed'),
    status: parseLines(ending, monitor).at(-1)?.status,
  };
}

function parseLines<T>(schema: z.ZodMiniType<T>, text: string): T[] {
  return text
    .slice(-RECORD_BYTES)
    .split('\n')
    .flatMap((each) => {
      const parsed = schema.safeParse(parseJson(each));
      return parsed.success ? [parsed.data] : [];
    });
}

/** Undefined where it is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
