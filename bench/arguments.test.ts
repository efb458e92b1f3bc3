import { describe, expect, it } from 'vitest';
import { parseArguments, UsageError } from './arguments.ts';

const KNOWN = ['run-warm', 'exec', 'pull'];

describe('the command line of the benchmarks', () => {
  it('runs all of them, ten samples each, for people', () => {
    expect(parseArguments([], KNOWN)).toEqual({ names: KNOWN, samples: 10, json: false });
  });

  it('runs those that are named, in the order of the table, once each', () => {
    const { names } = parseArguments(['pull', 'run-warm', 'pull'], KNOWN);
    expect(names).toEqual(['run-warm', 'pull']);
  });

  it('takes options anywhere', () => {
    const asked = { names: ['exec'], samples: 30, json: true };
    expect(parseArguments(['--samples', '30', 'exec', '--json'], KNOWN)).toEqual(asked);
    expect(parseArguments(['--json', 'exec', '--samples=30'], KNOWN)).toEqual(asked);
  });

  it('refuses a benchmark that there is not, and names those that there are', () => {
    expect(() => parseArguments(['exec', 'run'], KNOWN)).toThrow(
      new UsageError('There is no benchmark run; there are run-warm, exec, pull.'),
    );
  });

  it.each(['0', '-1', '1.5', '1e3', '10000', 'ten', ''])('refuses %j samples', (samples) => {
    expect(() => parseArguments([`--samples=${samples}`], KNOWN)).toThrow(
      new UsageError(`--samples takes 1 to 9999, not ${samples}.`),
    );
  });

  it('refuses an option that there is not', () => {
    expect(() => parseArguments(['--quick'], KNOWN)).toThrow(UsageError);
  });
});
