import { describe, expect, it } from 'vitest';
import { parseArguments, UsageError } from './arguments.ts';

const KNOWN = ['run-warm', 'exec', 'pull'];

describe('the command line of the benchmarks', () => {
  it('runs every benchmark with ten samples and prints a table by default', () => {
    expect(parseArguments([], KNOWN)).toEqual({ names: KNOWN, samples: 10, json: false });
  });

  it('runs the named benchmarks in the order of the table, once each', () => {
    const { names } = parseArguments(['pull', 'run-warm', 'pull'], KNOWN);
    expect(names).toEqual(['run-warm', 'pull']);
  });

  it('accepts options before and after the names of benchmarks', () => {
    const asked = { names: ['exec'], samples: 30, json: true };
    expect(parseArguments(['--samples', '30', 'exec', '--json'], KNOWN)).toEqual(asked);
    expect(parseArguments(['--json', 'exec', '--samples=30'], KNOWN)).toEqual(asked);
  });

  it('refuses an unknown benchmark, and names the known ones', () => {
    expect(() => parseArguments(['exec', 'run'], KNOWN)).toThrow(
      new UsageError('There is no benchmark run; there are run-warm, exec, pull.'),
    );
  });

  it.each(['0', '-1', '1.5', '1e3', '10000', 'ten', ''])(
    'refuses %j samples of a benchmark',
    (samples) => {
      expect(() => parseArguments([`--samples=${samples}`], KNOWN)).toThrow(
        new UsageError(`--samples takes 1 to 9999, not ${samples}.`),
      );
    },
  );

  it('refuses an unknown option of the benchmarks', () => {
    expect(() => parseArguments(['--quick'], KNOWN)).toThrow(UsageError);
  });
});
