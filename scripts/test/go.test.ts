import { describe, expect, it } from 'vitest';
import { type GoTest, goTests } from './go.ts';
import { count } from './report.ts';

interface Answer {
  readonly code?: number;
  readonly lines: readonly string[];
}

const passed = (file: string, name: string): string[] =>
  [
    { Action: 'pass', Package: file, Test: name },
    { Action: 'pass', Package: file, Elapsed: 1 },
  ].map((event) => JSON.stringify(event));

const RACED = { lines: passed('agent/box', 'TestRun') };
const TIMED = { lines: passed('agent/ratls', 'TestAStrangerKeepsNoRelyingPartyOut') };
const LISTED = { lines: ['FuzzFrames', 'ok  \tagent/http2\t0.01s', 'ok  \tagent/box\t0.01s'] };

/** Go with these answers, and the arguments that it was called with. */
function fake({ timed = TIMED, listed = LISTED }: { timed?: Answer; listed?: Answer } = {}) {
  const calls: string[][] = [];
  const go: GoTest = (args, _, onLine) => {
    calls.push([...args]);
    const answer = ((): Answer => {
      if (args.includes('-race')) return RACED;
      if (args.includes('-list')) return listed;
      return args.includes('./ratls') ? timed : { lines: [] };
    })();
    for (const line of answer.lines) onLine(line);
    return Promise.resolve(answer.code ?? 0);
  };
  return { calls, report: goTests(() => undefined, 1, go) };
}

describe('the go stage', () => {
  it('runs the tests of times once more without the race detector, and counts them', async () => {
    const { calls, report } = fake();
    const { files, errors } = await report;
    expect(errors).toEqual([]);
    expect(files.map(({ file }) => file)).toEqual([
      ...['agent/box', 'agent/ratls (timed)', 'agent/http2 FuzzFrames'],
    ]);
    expect(count([await report])).toEqual({ passed: 3, failed: 0, skipped: 0 });
    const timed = calls.filter((args) => args.includes('./ratls'));
    expect(timed).toEqual([['-json', '-count=1', '-run=^TestAStrangerKeeps', './ratls']]);
  });

  it('fails where no test of times is found', async () => {
    const lines = [JSON.stringify({ Action: 'pass', Package: 'agent/ratls', Elapsed: 1 })];
    expect((await fake({ timed: { lines } }).report).errors).toEqual(['no timed test ran']);
  });

  it('fails where the list of fuzz targets fails, or is empty', async () => {
    const refused = { ...LISTED, code: 2 };
    expect((await fake({ listed: refused }).report).errors).toEqual(['go test -list ended with 2']);
    const none = { lines: ['ok  \tagent/http2\t0.01s'] };
    expect((await fake({ listed: none }).report).errors).toEqual([
      'go test -list found no fuzz target',
    ]);
  });
});
