import { describe, expect, it } from 'vitest';
import { Flights } from './flights.ts';

const SIGNAL = new AbortController().signal;

/** A request that ends when the test says so. */
function pending() {
  const starts: AbortSignal[] = [];
  const ends: ((value: string) => void)[] = [];
  const start = (signal: AbortSignal) => {
    starts.push(signal);
    return new Promise<string>((resolve, reject) => {
      ends.push(resolve);
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  return { start, starts, ends };
}

describe('Flights', () => {
  it('makes one request for equal concurrent requests', async () => {
    const flights = new Flights<string>();
    const { start, starts, ends } = pending();
    const all = [1, 2, 3].map(() => flights.join('a', SIGNAL, start));
    ends[0]?.('answer');
    expect(await Promise.all(all)).toEqual(['answer', 'answer', 'answer']);
    expect(starts).toHaveLength(1);
  });

  it('keeps different requests apart, and forgets completed ones', async () => {
    const flights = new Flights<string>();
    let count = 0;
    const start = async () => {
      count += 1;
      return `${count}`;
    };
    expect(await flights.join('a', SIGNAL, start)).toBe('1');
    expect(await flights.join('a', SIGNAL, start)).toBe('2');
    const both = [flights.join('a', SIGNAL, start), flights.join('b', SIGNAL, start)];
    expect(await Promise.all(both)).toEqual(['3', '4']);
  });

  it('continues a shared request when one caller aborts', async () => {
    const flights = new Flights<string>();
    const { start, starts, ends } = pending();
    const abort = new AbortController();
    const leaver = flights.join('a', abort.signal, start);
    const stayer = flights.join('a', SIGNAL, start);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(leaver).rejects.toBe(reason);
    expect(starts[0]?.aborted).toBe(false);
    ends[0]?.('answer');
    expect(await stayer).toBe('answer');
  });

  it('aborts a shared request when its last caller aborts', async () => {
    const flights = new Flights<string>();
    const { start, starts, ends } = pending();
    const abort = new AbortController();
    const leavers = [1, 2].map(() => flights.join('a', abort.signal, start));
    abort.abort(new Error('enough'));
    for (const leaver of leavers) await expect(leaver).rejects.toThrow('enough');
    expect(starts[0]?.aborted).toBe(true);
    const newcomer = flights.join('a', SIGNAL, start);
    ends[1]?.('answer');
    expect(await newcomer).toBe('answer');
  });

  it('rejects for every caller when a shared request fails', async () => {
    const flights = new Flights<string>();
    const start = () => Promise.reject(new Error('no'));
    const all = [1, 2].map(() => flights.join('a', SIGNAL, start));
    for (const one of all) await expect(one).rejects.toThrow('no');
  });

  it('starts no request for a caller that has already aborted', async () => {
    const { start, starts } = pending();
    const reason = new Error('enough');
    const join = new Flights<string>().join('a', AbortSignal.abort(reason), start);
    await expect(join).rejects.toBe(reason);
    expect(starts).toHaveLength(0);
  });
});
