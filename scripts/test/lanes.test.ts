import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ALONE, batchesOf, lanesOf, splitVmStage } from './lanes.ts';
import { ROOT } from './run.ts';
import { STAGE_NAMES } from './stage-names.ts';
import { filesOf } from './vitest.ts';

describe('the lanes of a run', () => {
  it('runs every stage that boots no VM beside the VM stage', () => {
    const others = ['check', 'go', 'unit', 'attestation', 'fuzz', 'host', 'kvm'];
    expect(lanesOf(STAGE_NAMES, 2)).toEqual({ front: [], beside: others });
  });

  it('runs the vm stage alone when nothing else is chosen', () => {
    expect(lanesOf(['vm'], 2)).toEqual({ front: [], beside: [] });
  });

  it('runs stages one after another when no VM boots, and on one processor', () => {
    expect(lanesOf(['unit', 'check'], 8)).toEqual({ front: ['check', 'unit'], beside: undefined });
    expect(lanesOf(['vm', 'unit'], 1)).toEqual({ front: ['unit'], beside: undefined });
  });

  it('lists only existing files as those that run alone', () => {
    expect(ALONE.length).toBeGreaterThan(0);
    expect(ALONE.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

describe('the files of the vm stage', () => {
  const [alone = ''] = ALONE;
  const files = ['test/e2e/run.test.ts', alone, 'test/e2e/hostile-host/files.test.ts'];

  it('runs each file of the vm stage once: beside others, or alone', () => {
    expect(splitVmStage(files, 'all')).toEqual({
      shared: ['test/e2e/run.test.ts', 'test/e2e/hostile-host/files.test.ts'],
      alone: [alone],
    });
  });

  it('selects files of the vm stage by the beginning of their paths', () => {
    const none = { shared: [], alone: [] };
    expect(splitVmStage(files, ['test/e2e/hostile-host/'])).toEqual({
      ...none,
      shared: ['test/e2e/hostile-host/files.test.ts'],
    });
    expect(splitVmStage(files, [alone])).toEqual({ ...none, alone: [alone] });
    expect(splitVmStage(files, [])).toEqual(none);
  });

  it('runs slow files of the vm stage one at a time, then a few others at a time, the last ones singly', () => {
    const all = filesOf('vm').toReversed();
    const batches = batchesOf(all);
    expect(batches.flat().toSorted()).toEqual(all.toSorted());
    expect(batches[0]).toEqual(['test/clients/docker/transcript.test.ts']);
    expect(Math.max(...batches.map((batch) => batch.length))).toBe(4);
    // The files listed as slow run one at a time, before all other batches, and so do the last.
    expect(batches.slice(0, 13).every((batch) => batch.length === 1)).toBe(true);
    expect(batches.slice(-8).every((batch) => batch.length === 1)).toBe(true);
    expect(batchesOf([])).toEqual([]);
  });
});
