import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lanesOf } from './lanes.ts';
import { ROOT } from './run.ts';
import { STAGE_NAMES } from './stage-names.ts';
import { ALONE } from './stages.ts';

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
