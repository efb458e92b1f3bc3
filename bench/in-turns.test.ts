import { describe, expect, it } from 'vitest';
import { inTurns } from './in-turns.ts';

const { signal } = new AbortController();

describe('contestants in turns', () => {
  it('alternate, and the first turn of each does not count', async () => {
    const calls: string[] = [];
    const contestant = (name: string) => async () => calls.push(name);
    const figures = await inTurns(
      { samples: 2, signal },
      { a: contestant('a'), b: contestant('b') },
    );
    expect(calls).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    expect(figures).toEqual({ a: [3, 5], b: [4, 6] });
  });

  it('end with the failure of one', async () => {
    const failure = new Error('no');
    const turns = inTurns({ samples: 2, signal }, { a: () => Promise.reject(failure) });
    await expect(turns).rejects.toBe(failure);
  });

  it('end between two of them when nobody wants them any more', async () => {
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
