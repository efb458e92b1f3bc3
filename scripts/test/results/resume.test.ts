import { expect, it } from 'vitest';
import type { StageReport, TestResult } from './report.ts';
import { kept, passedFiles } from './resume.ts';

type State = TestResult['state'];

function reportOf(file: string, states: readonly State[], errors: string[] = []): StageReport {
  const tests = states.map((state) => ({ path: ['test'], state, output: '' }));
  return { stage: 'kvm', files: [{ file, seconds: 1, tests, errors }], errors: [] };
}

it('runs again what failed, did not load, left no report or only skipped', () => {
  const passed = reportOf('a', ['passed', 'skipped']);
  const others = [
    reportOf('b', ['passed', 'failed']),
    reportOf('c', ['passed'], ['a hook failed']),
    { ...reportOf('d', ['passed']), errors: ['the host ended'] },
    reportOf('e', ['skipped']),
    { stage: 'kvm', files: [], errors: ['f: no report'] },
  ];
  expect([...passedFiles([passed, ...others])]).toEqual([['a', passed]]);
});

it('keeps results of files that an interrupted run did not come to, and its own of the others', () => {
  const before = passedFiles([reportOf('a', ['passed']), reportOf('b', ['passed'])]);
  const now = reportOf('a', ['failed']);
  expect(kept([now], before)).toEqual([now, before.get('b')]);
});
