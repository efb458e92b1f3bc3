import { describe, expect, it } from 'vitest';
import { SYSTEM_CLOCK } from './clock.ts';

describe('SYSTEM_CLOCK', () => {
  it('returns the time of the system', () => {
    const before = Date.now();
    expect(SYSTEM_CLOCK.now()).toBeGreaterThanOrEqual(before);
  });

  it('sleeps for the given time', async () => {
    await expect(SYSTEM_CLOCK.sleep(1, new AbortController().signal)).resolves.toBeUndefined();
  });

  it('rejects a sleep with the reason of the abort signal', async () => {
    const abort = new AbortController();
    const sleep = SYSTEM_CLOCK.sleep(3_600_000, abort.signal);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(sleep).rejects.toBe(reason);
    await expect(SYSTEM_CLOCK.sleep(1, abort.signal)).rejects.toBe(reason);
  });
});
