import { describe, expect, it } from 'vitest';
import { OverheadBudget } from './overhead.ts';

const FULL = 1000;
const WINDOW = 10;
const budget = (): OverheadBudget => new OverheadBudget(WINDOW, FULL);

describe('the overhead budget of a connection', () => {
  it('exhausts the overhead budget on bytes without payload', () => {
    const some = budget();
    expect(some.account(FULL, 0)).toBe(true);
    expect(some.account(1, 0)).toBe(false);
  });

  it('never exhausts the overhead budget on payload with headers of equal size', () => {
    const some = budget();
    for (const bytes of [100, 1e9, 1]) {
      for (let n = 0; n < 1000; n += 1) {
        some.delivered(bytes);
        expect(some.account(2 * bytes, 0)).toBe(true);
      }
    }
  });

  it('does not let payload raise the overhead budget', () => {
    const some = budget();
    some.delivered(1e9);
    for (let n = 0; n < 1000; n += 1) some.requested();
    expect(some.account(1e9, 1e9)).toBe(true);
    expect(some.account(FULL + 1, 0)).toBe(false);
  });

  it('does not let the host’s answers to a flood raise the overhead budget', () => {
    const some = budget();
    for (let n = 0; n < 62; n += 1) expect(some.account(17, 17)).toBe(true);
    expect(some.account(17, 17)).toBe(false);
  });

  it('raises the overhead budget by the windows of abandoned streams, up to a bound', () => {
    const some = budget();
    for (let n = 0; n < 1000; n += 1) some.abandoned();
    expect(some.account(0, 0)).toBe(true);
    // Payload does not reduce this allowance.
    some.delivered(1);
    expect(some.account(1, 0)).toBe(true);
    expect(some.account(FULL + 256 * WINDOW, 0)).toBe(true);
    expect(some.account(1, 0)).toBe(false);
  });
});
