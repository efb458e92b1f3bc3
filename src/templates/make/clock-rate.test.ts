import { describe, expect, it } from 'vitest';
import { checkClockRate, type HostClock, WrongClock } from './clock-rate.ts';

/** A host's clock that passes only when it is told to, and a guest's that runs at a rate of it. */
class Clocks implements HostClock {
  #now = 1000;
  readings = 0;
  readonly #rate: number;
  readonly #answers: () => readonly [before: number, after: number];

  /** @param answers milliseconds before and after the guest reads its clock, for each request */
  constructor(rate: number, answers: () => readonly [before: number, after: number]) {
    this.#rate = rate;
    this.#answers = answers;
  }

  now(): number {
    return this.#now;
  }

  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#now += milliseconds;
  }

  async uptime(): Promise<number> {
    const [before, after] = this.#answers();
    this.readings += 1;
    this.#now += before;
    const read = Math.round(this.#now * this.#rate * 1000);
    this.#now += after;
    return read;
  }
}

const never = new AbortController().signal;

function check(clocks: Clocks): Promise<void> {
  return checkClockRate(clocks, never, clocks);
}

/** The same answers again and again. */
function cycle(
  ...answers: (readonly [number, number])[]
): () => readonly [before: number, after: number] {
  let next = 0;
  return () => answers[next++ % answers.length] ?? [0, 0];
}

describe('a guest whose clock is certainly wrong', () => {
  it.each([18, 2, 1.11, 0.89, 0.1, 0, -1])('refuses a clock with a rate of %f', async (rate) => {
    const refused = check(new Clocks(rate, cycle([2, 3], [5, 1])));
    await expect(refused).rejects.toBeInstanceOf(WrongClock);
    await expect(refused).rejects.toMatchObject({ code: 'template-unusable' });
  });

  it('refuses a wrong clock although each answer takes seconds', async () => {
    const refused = check(new Clocks(18, cycle([10, 2000], [1500, 20])));
    await expect(refused).rejects.toThrow(
      /the guest's clock runs at least 1?\d\.\d\d times as fast as the host's/,
    );
  });
});

describe('a clock that may be right', () => {
  it.each([1, 1.01, 0.99, 1.04, 0.96])('accepts a clock with a rate of %f', async (rate) => {
    await check(new Clocks(rate, cycle([1, 1], [2, 5])));
  });

  it('accepts a clock after a fraction of a second where the agent answers at once', async () => {
    const clocks = new Clocks(1, cycle([1, 1]));
    await check(clocks);
    expect(clocks.now()).toBeLessThan(1500);
  });

  it('accepts a clock where the host or the guest stands still before or after a reading', async () => {
    await check(new Clocks(1, cycle([0, 4000], [4000, 0])));
    await check(new Clocks(1, cycle([4000, 0], [0, 4000])));
    await check(new Clocks(1, cycle([1, 1], [0, 900], [900, 0])));
  });

  it('accepts a clock whose rate is not certain after a while', async () => {
    const clocks = new Clocks(1.04, cycle([300, 300]));
    await check(clocks);
    expect(clocks.now()).toBeGreaterThan(20_000);
    expect(clocks.readings).toBeLessThan(60);
  });

  it('accepts a guest whose agent does not tell its clock', async () => {
    const clocks = new Clocks(1, cycle([0, 0]));
    await checkClockRate({ uptime: async () => undefined }, never, clocks);
    expect(clocks.now()).toBe(1000);
  });
});

it('ends with the reason of its signal', async () => {
  const abort = new AbortController();
  const clocks = new Clocks(1, cycle([1, 1]));
  abort.abort(new Error('The server is stopping'));
  await expect(checkClockRate(clocks, abort.signal, clocks)).rejects.toThrow(
    'The server is stopping',
  );
});
