import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { settleOrAbort } from './settle-all.ts';

const { signal } = new AbortController();

describe('settleOrAbort', () => {
  it('returns the results of all tasks, in their order', async () => {
    const slow = delay(5).then(() => 'first');
    const done = await settleOrAbort(signal, () => [slow, Promise.resolve(2), Promise.resolve(3)]);
    expect(done).toEqual(['first', 2, 3]);
  });

  it('throws the first failure once the aborted tasks have ended', async () => {
    const failure = new Error('the second task failed');
    let ended = false;
    const started = settleOrAbort(signal, (waiting) => [
      delay(60_000, undefined, { signal: waiting }).finally(async () => {
        await delay(5);
        ended = true;
      }),
      delay(1).then(() => Promise.reject(failure)),
    ]);
    await expect(started).rejects.toBe(failure);
    expect(ended).toBe(true);
  });

  it('passes the abort of the caller on to each task', async () => {
    const caller = new AbortController();
    const started = settleOrAbort(caller.signal, (waiting) => [
      delay(60_000, undefined, { signal: waiting }),
      delay(60_000, undefined, { signal: waiting }),
    ]);
    const reason = new Error('the server ends');
    caller.abort(reason);
    await expect(started).rejects.toMatchObject({ name: 'AbortError', cause: reason });
  });
});
