import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ALONE, lanesOf, splitMachines } from './lanes.ts';
import { ROOT } from './run.ts';
import { STAGE_NAMES } from './stage-names.ts';

describe('the lanes of a run', () => {
  it('have everything that boots nothing beside the machines', () => {
    expect(lanesOf(STAGE_NAMES, 2)).toEqual({
      front: ['vm'],
      beside: ['check', 'go', 'unit', 'attestation', 'fuzz', 'host'],
    });
  });

  it('are one where no machine boots, where nothing else is asked for, and on one processor', () => {
    expect(lanesOf(['unit', 'check'], 8)).toEqual({ front: ['check', 'unit'], beside: [] });
    expect(lanesOf(['vm'], 8)).toEqual({ front: ['vm'], beside: [] });
    expect(lanesOf(['vm', 'unit'], 1)).toEqual({ front: ['unit', 'vm'], beside: [] });
  });

  it('end with files that there are', () => {
    expect(ALONE.length).toBeGreaterThan(0);
    expect(ALONE.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

describe('the files of the vm stage', () => {
  const [alone = ''] = ALONE;
  const files = ['test/e2e/run.test.ts', alone, 'test/e2e/hostile-host/files.test.ts'];

  it('run once each: beside others, or alone', () => {
    expect(splitMachines(files, 'all')).toEqual({
      shared: ['test/e2e/run.test.ts', 'test/e2e/hostile-host/files.test.ts'],
      alone: [alone],
    });
  });

  it('are those that were chosen, by how their paths begin', () => {
    const none = { shared: [], alone: [] };
    expect(splitMachines(files, ['test/e2e/hostile-host/'])).toEqual({
      ...none,
      shared: ['test/e2e/hostile-host/files.test.ts'],
    });
    expect(splitMachines(files, [alone])).toEqual({ ...none, alone: [alone] });
    expect(splitMachines(files, [])).toEqual(none);
  });
});
