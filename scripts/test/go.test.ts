import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fuzzTargets, type GoTest, goAgain, goTests } from './go.ts';
import { count } from './results/report.ts';
import { ROOT } from './run.ts';

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
const SOURCE = `package http2
import "testing"
func FuzzFrames(f *testing.F) {
}
// func FuzzNone(f *testing.F)
func TestFuzzers(t *testing.T) {}
`;

let source: string;
let empty: string;
beforeAll(() => {
  source = mkdtempSync(join(tmpdir(), 'a3s-go-'));
  empty = join(source, 'empty');
  for (const path of ['http2', 'empty']) mkdirSync(join(source, path));
  writeFileSync(join(source, 'http2/frames_test.go'), SOURCE);
  writeFileSync(join(source, 'http2/frames.go'), SOURCE);
});
afterAll(() => rmSync(source, { recursive: true, force: true }));

/** A fake Go with the given answers, which records its arguments. */
function fake({ timed = TIMED, targets = source, fuzz = 0, seconds = 1 } = {}) {
  const calls: string[][] = [];
  const go: GoTest = (args, _, onLine) => {
    calls.push([...args]);
    const answer = ((): Answer => {
      if (args.includes('-race')) return RACED;
      return args.includes('./ratls') ? timed : { code: fuzz, lines: ['what it printed'] };
    })();
    for (const line of answer.lines) onLine(line);
    return Promise.resolve(answer.code ?? 0);
  };
  return { calls, report: goTests(() => undefined, seconds, go, targets) };
}

describe('the go stage', () => {
  it('reruns the timed Go tests without the race detector, and counts them', async () => {
    const { calls, report } = fake();
    const { files, errors } = await report;
    expect(errors).toEqual([]);
    expect(files.map(({ file }) => file)).toEqual([
      ...['agent/box', 'agent/ratls (timed)', './http2 FuzzFrames'],
    ]);
    expect(count([await report])).toEqual({ passed: 3, failed: 0, skipped: 0 });
    const timed = calls.filter((args) => args.includes('./ratls'));
    expect(timed).toEqual([['-json', '-count=1', '-run=^TestAStrangerKeeps', './ratls']]);
  });

  it('fails the go stage when no timed test is found', async () => {
    const lines = [JSON.stringify({ Action: 'pass', Package: 'agent/ratls', Elapsed: 1 })];
    expect((await fake({ timed: { lines } }).report).errors).toEqual(['no timed test ran']);
  });

  it('runs each fuzz target, and fails when one fails or none exists', async () => {
    const { calls, report } = fake({ fuzz: 1 });
    expect(count([await report])).toMatchObject({ passed: 2, failed: 1 });
    expect(calls.at(-1)).toEqual([
      ...['./http2', '-run=^$', '-fuzz=^FuzzFrames$', '-fuzztime=1s', '-parallel=2'],
    ]);
    expect((await fake({ targets: empty }).report).errors).toEqual(['no fuzz target was found']);
  });

  it('runs no fuzz target without a fuzzing time', async () => {
    const { calls, report } = fake({ seconds: 0 });
    expect(count([await report])).toEqual({ passed: 2, failed: 0, skipped: 0 });
    expect(calls.flat().filter((arg) => arg.startsWith('-fuzz'))).toEqual([]);
  });

  it('finds the fuzz targets of the agent', () => {
    expect(fuzzTargets(join(ROOT, 'native/agent'))).toContainEqual({
      package: './launchspec',
      name: 'FuzzParse',
    });
  });
});

describe('a package with a failed test', () => {
  const failed = [['TestOther'], ['TestAStranger/that_waits'], ['TestAStranger']];

  async function ranAgain(file: string, tests: readonly (readonly string[])[] | 'all') {
    const calls: string[][] = [];
    const go: GoTest = (args, _, onLine) => {
      calls.push([...args]);
      for (const line of passed('agent/ratls', 'TestAStranger')) onLine(line);
      return Promise.resolve(0);
    };
    const second = await goAgain({ file, tests }, () => undefined, go)?.();
    return { calls, second };
  }

  it('reruns failed Go tests whole and as they ran first', async () => {
    const { calls, second } = await ranAgain('agent/ratls', failed);
    expect(calls).toEqual([
      expect.arrayContaining(['-race', '-count=1', '-run=^(TestOther|TestAStranger)$']),
    ]);
    expect(second?.report.files.map(({ file }) => file)).toEqual(['agent/ratls']);
  });

  it('reruns failed timed Go tests without the race detector', async () => {
    const { calls, second } = await ranAgain('agent/ratls (timed)', failed);
    expect(calls[0]).not.toContain('-race');
    expect(calls[0]?.at(-1)).toBe('agent/ratls');
    expect(second?.report.files.map(({ file }) => file)).toEqual(['agent/ratls (timed)']);
  });

  it('reruns a whole Go package that failed outside of a test', async () => {
    const { calls } = await ranAgain('agent/ratls', 'all');
    expect(calls.flat().filter((arg) => arg.startsWith('-run'))).toEqual([]);
  });

  it('does not rerun a fuzz target that failed', () => {
    expect(goAgain({ file: './http2 FuzzFrames', tests: 'all' }, () => undefined)).toBe(undefined);
  });
});
