import { describe, expect, it } from 'vitest';
import { inTurns } from './in-turns.ts';

const { signal } = new AbortController();

describe('inTurns', () => {
  it('runs the contestants alternately, and drops the first sample of each', async () => {
    const calls: string[] = [];
    const contestant = (name: string) => async () => calls.push(name);
    const figures = await inTurns(
      { samples: 2, signal },
      { a: contestant('a'), b: contestant('b') },
    );
    expect(calls).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    expect(figures).toEqual({ a: [3, 5], b: [4, 6] });
  });

  it('rejects when one contestant fails', async () => {
    const failure = new Error('no');
    const turns = inTurns({ samples: 2, signal }, { a: () => Promise.reject(failure) });
    await expect(turns).rejects.toBe(failure);
  });

  it('stops between two contestants when it is aborted', async () => {
    const interruption = new AbortController();
    const calls: string[] = [];
    const turns = inTurns(
      { samples: 9, signal: interruption.signal },
      {
        a: async () => {
          interruption.abort();
          return calls.push('a');
        },
        b: async () => calls.push('b'),
      },
    );
    await expect(turns).rejects.toBe(interruption.signal.reason);
    expect(calls).toEqual(['a']);
  });
});
