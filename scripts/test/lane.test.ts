import { describe, expect, it } from 'vitest';
import { merged, runLanes } from './lane.ts';
import { filesOf } from './vitest.ts';

describe('a stage that runs in parts', () => {
  it('is one report, in which what kept all parts from running is one error', () => {
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

describe('machines without their programs', () => {
  it('fail, one error in all, and say so in either lane', async () => {
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
    expect(new Set(titles)).toEqual(new Set(['==> vm, front', '==> vm, beside', '==> vm, alone']));
  });
});
