import { describe, expect, it } from 'vitest';
import { OverheadBudget } from './overhead.ts';

const FULL = 1000;
const WINDOW = 10;
const budget = (): OverheadBudget => new OverheadBudget(WINDOW, FULL);

describe('the budget for what reaches no stream', () => {
  it('is used up by bytes that no payload goes with', () => {
    const some = budget();
    expect(some.settle(FULL, 0)).toBe(true);
    expect(some.settle(1, 0)).toBe(false);
  });

  it('is never used up by payload with headers of its own size, in pieces or at once', () => {
    const some = budget();
    for (const bytes of [100, 1e9, 1]) {
      for (let n = 0; n < 1000; n += 1) {
        some.delivered(bytes);
        expect(some.settle(2 * bytes, 0)).toBe(true);
      }
    }
  });

  it('holds no more after any amount of payload than before', () => {
    const some = budget();
    some.delivered(1e9);
    for (let n = 0; n < 1000; n += 1) some.requested();
    expect(some.settle(1e9, 1e9)).toBe(true);
    expect(some.settle(FULL + 1, 0)).toBe(false);
  });

  it('is not fed by what the host answers to a flood', () => {
    const some = budget();
    for (let n = 0; n < 62; n += 1) expect(some.settle(17, 17)).toBe(true);
    expect(some.settle(17, 17)).toBe(false);
  });

  it('grows by the windows of streams that were given up, as far as a session has streams', () => {
    const some = budget();
    for (let n = 0; n < 1000; n += 1) some.abandoned();
    expect(some.settle(0, 0)).toBe(true);
    // Payload takes none of that away.
    some.delivered(1);
    expect(some.settle(1, 0)).toBe(true);
    expect(some.settle(FULL + 256 * WINDOW, 0)).toBe(true);
    expect(some.settle(1, 0)).toBe(false);
  });
});
