import { describe, expect, it } from 'vitest';
import { TCB_MINIMUMS } from './tcb-minimums.ts';

describe.each(Object.entries(TCB_MINIMUMS))('the minimum of %s', (name, entry) => {
  it('states since when a TCB minimum holds, and its source', () => {
    expect(entry.asOf).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect(Date.parse(entry.asOf)).not.toBeNaN();
    expect(entry.source).toContain('reports of 2026 fleets');
  });

  it('applies a TCB minimum to models that no other minimum covers', () => {
    const others = Object.entries(TCB_MINIMUMS).filter(([other]) => other !== name);
    for (const [, other] of others) {
      const apart =
        other.family !== entry.family ||
        other.lastModel < entry.firstModel ||
        other.firstModel > entry.lastModel;
      expect(apart).toBe(true);
    }
  });
});
