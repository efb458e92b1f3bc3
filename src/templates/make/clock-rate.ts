/**
 * Whether a guest's clock runs at the rate of the host's.
 *
 * A kernel measures the rate of its processor's counter while it boots. On a busy host an emulated
 * processor may stand still in the middle of that, and everything that is copied from such a guest
 * has a clock that is many times too fast.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';

/** Far more than clocks of one host differ, and far less than a failed measurement is off. */
const TOLERANCE = 0.05;
/** A guest that answers so slowly that nothing is certain after this time counts as sound. */
const LIMIT_MS = 20_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/** The guest's clock is wrong. Another boot measures it again. */
export class WrongClock extends A3sError {}

/** The host's own clock, in milliseconds. It never goes back. */
export interface HostClock {
  now(): number;
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

const HOST: HostClock = {
  now: () => performance.now(),
  wait: (milliseconds, signal) => delay(milliseconds, undefined, { signal }),
};

/** The guest read its clock at some time between these two of the host's. */
interface Reading {
  readonly before: number;
  readonly guest: number;
  readonly after: number;
}

/** The guest's seconds for each of the host's: the true number is between these two. */
interface Rate {
  readonly atLeast: number;
  readonly atMost: number;
}

/**
 * Reads the guest's clock until its rate is certain. An agent that does not tell its clock is not
 * checked, and only a rate that is certainly wrong is refused: an answer may take any time.
 *
 * @throws WrongClock; A3sError as `Guest.uptime`; the signal's reason
 */
export async function checkClockRate(
  guest: Pick<Guest, 'uptime'>,
  signal: AbortSignal,
  host: HostClock = HOST,
): Promise<void> {
  const readings: Reading[] = [];
  const end = host.now() + LIMIT_MS;
  let rate: Rate = { atLeast: Number.NEGATIVE_INFINITY, atMost: Number.POSITIVE_INFINITY };
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const before = host.now();
    const uptime = await guest.uptime(signal);
    if (uptime === undefined) return;
    const latest = { before, guest: uptime / 1000, after: host.now() };
    rate = readings.reduce((known, earlier) => narrowed(known, earlier, latest), rate);
    if (isWrong(rate)) throw wrongClock(rate);
    if (isRight(rate) || host.now() >= end) return;
    readings.push(latest);
    await host.wait(pauseMs, signal);
  }
}

function narrowed({ atLeast, atMost }: Rate, earlier: Reading, later: Reading): Rate {
  const elapsed = later.guest - earlier.guest;
  const longest = later.after - earlier.before;
  const shortest = later.before - earlier.after;
  return {
    atLeast: longest > 0 ? Math.max(atLeast, elapsed / longest) : atLeast,
    atMost: shortest > 0 ? Math.min(atMost, elapsed / shortest) : atMost,
  };
}

function isWrong({ atLeast, atMost }: Rate): boolean {
  return atLeast > 1 + TOLERANCE || atMost < 1 - TOLERANCE;
}

function isRight({ atLeast, atMost }: Rate): boolean {
  return atLeast >= 1 - TOLERANCE && atMost <= 1 + TOLERANCE;
}

function wrongClock({ atLeast, atMost }: Rate): WrongClock {
  const rate = atLeast > 1 ? `at least ${atLeast.toFixed(2)}` : `at most ${atMost.toFixed(2)}`;
  return new WrongClock(
    'template-unusable',
    `Cannot make a template: the guest's clock runs ${rate} times as fast as the host's`,
    { remedy: 'Try again with a3s-box template warm when the machine is less busy.' },
  );
}
