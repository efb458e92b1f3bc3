import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { otherPrograms, readBaseline } from './baseline.ts';
import { PARTS, STEPS } from './parts.ts';

describe('the counts of the last version', () => {
  it('the baseline has an instruction count for every part of every step', () => {
    const { medians } = readBaseline();
    for (const step of STEPS) {
      for (const part of PARTS) expect(medians[step][part]).toBeGreaterThan(0);
      const { 'host-programs': programs, 'host-kernel': kernel, guest } = medians[step];
      // Each value is a separate median, so the sum only approximates that of the whole step.
      expect((programs + kernel + guest) / medians[step].all).toBeCloseTo(1, 1);
    }
  });

  it('refuses a baseline without the count of a step', () => {
    const directory = mkdtempSync(join(tmpdir(), 'a3s-baseline-'));
    const path = join(directory, 'baseline.json');
    const { medians, ...rest } = readBaseline();
    writeFileSync(path, JSON.stringify({ ...rest, medians: { ...medians, exec: {} } }));
    expect(() => readBaseline(path)).toThrow(`${path} has no count of all of exec`);
    rmSync(directory, { recursive: true });
  });

  it('names the programs that changed since the baseline and so change its counts', () => {
    const then = { kernel: '6.12.1', qemu: '10.0.1', node: 'v20.1.0' };
    expect(otherPrograms(then, then)).toEqual([]);
    expect(otherPrograms(then, { ...then, node: 'v22.0.0' })).toEqual([
      'node: v20.1.0 then, v22.0.0 now',
    ]);
  });
});
