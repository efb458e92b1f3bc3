/**
 * The command line of `npm run bench`.
 *
 * @module
 */
import { parseArgs } from 'node:util';

export interface BenchArguments {
  /** In the order in which they run. */
  readonly names: readonly string[];
  readonly samples: number;
  readonly json: boolean;
}

/** Something that cannot be run as it was asked for. */
export class UsageError extends Error {}

const DEFAULT_SAMPLES = 10;
const MOST_SAMPLES = 9999;

/**
 * @param known every benchmark, in the order of the table
 * @throws UsageError with what was found and what is possible
 */
export function parseArguments(args: readonly string[], known: readonly string[]): BenchArguments {
  const { values, positionals } = parse(args);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `There is no benchmark ${unknown.join(', ')}; there are ${known.join(', ')}.`,
    );
  }
  return {
    names: positionals.length === 0 ? known : known.filter((name) => positionals.includes(name)),
    samples: samplesOf(values.samples),
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        samples: { type: 'string', default: String(DEFAULT_SAMPLES) },
      },
    });
  } catch (cause) {
    throw new UsageError(
      `${cause instanceof Error ? cause.message : String(cause)}. The options are --samples N and --json.`,
      { cause },
    );
  }
}

function samplesOf(text: string): number {
  const samples = Number(text);
  if (/^\d+$/.test(text) && samples >= 1 && samples <= MOST_SAMPLES) return samples;
  throw new UsageError(`--samples takes 1 to ${MOST_SAMPLES}, not ${text}.`);
}
