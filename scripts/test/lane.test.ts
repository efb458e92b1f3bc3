import { describe, expect, it } from 'vitest';
import { merged, runLanes } from './lane.ts';
import { filesOf } from './vitest.ts';

describe('a stage that runs in parts', () => {
  it('merges the parts of a stage into one report, and equal errors into one', () => {
    const part = (file: string) => ({
      stage: 'vm',
      files: [{ file, seconds: 1, tests: [], errors: [] }],
      errors: ['no firmware'],
    });
    const check = { stage: 'check', files: [], errors: [] };
    expect(merged([check, part('a'), part('b')])).toEqual([
      check,
      { stage: 'vm', files: [...part('a').files, ...part('b').files], errors: ['no firmware'] },
    ]);
  });
});

describe('the vm stage without its programs', () => {
  it('fails the vm stage with one error when its programs cannot be prepared', async () => {
    const printed: string[] = [];
    const reports = await runLanes(
      ['vm'],
      { vm: filesOf('vm') },
      {
        print: (text) => printed.push(text),
        processors: 2,
        programs: { ready: () => Promise.reject(new Error('no firmware')) },
      },
    );
    expect(reports).toEqual([{ stage: 'vm', files: [], errors: ['Error: no firmware'] }]);
    const titles = printed.join('').match(/^==> .*$/gm) ?? [];
    const lanes = ['front', 'beside', 'third', 'alone'].map((lane) => `==> vm, ${lane}`);
    expect(new Set(titles)).toEqual(new Set(lanes));
  });
});
