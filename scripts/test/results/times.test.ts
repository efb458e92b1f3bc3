import { describe, expect, it } from 'vitest';
import { type FileResult, singleTest } from './report.ts';
import { timesOf, timeTable } from './times.ts';

function file(name: string, seconds: number, tests: number): FileResult {
  const one = { path: ['a'], state: 'passed', output: '' } as const;
  return { file: name, seconds, tests: Array(tests).fill(one), errors: [] };
}

const times = timesOf([
  { stage: 'unit', files: [file('a.test.ts', 0.25, 3), file('b.test.ts', 0.5, 4)], errors: [] },
  {
    stage: 'vm',
    files: [file('run.test.ts', 12.3456, 22), file('warm.test.ts', 90, 16)],
    errors: [],
  },
]);

describe('the times of files', () => {
  it('lists the times of the files of every stage, slowest first', () => {
    expect(times).toEqual([
      { stage: 'vm', file: 'warm.test.ts', seconds: 90, tests: 16 },
      { stage: 'vm', file: 'run.test.ts', seconds: 12.346, tests: 22 },
      { stage: 'unit', file: 'b.test.ts', seconds: 0.5, tests: 4 },
      { stage: 'unit', file: 'a.test.ts', seconds: 0.25, tests: 3 },
    ]);
  });

  it('prints a row for each file of at least a second, and one for all others', () => {
    expect(timeTable(times)).toEqual([
      ' seconds  tests  stage        file',
      '    90.0     16  vm           warm.test.ts',
      '    12.3     22  vm           run.test.ts',
      '     0.8      7               2 others, none of a second',
    ]);
  });

  it('prints one row when every file is quick, and no table without files', () => {
    const quick = timesOf([
      { stage: 'check', files: [singleTest('gofmt', 0.5, undefined)], errors: [] },
    ]);
    expect(timeTable(quick)[1]).toContain('1 files, none of a second');
    expect(timeTable([])).toEqual([]);
  });
});
