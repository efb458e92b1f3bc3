/**
 * The health of a box after each probe, counted as Docker counts.
 *
 * @module
 */
import type { BoxDefinition, HealthCheck, HealthState } from '../record/box.ts';

/** The result of one probe. */
export type ProbeResult = HealthState['log'][number];

const KEPT = 5;
const NANOSECONDS = 1_000_000;
/** Longest delay that a timer takes, a little under 25 days. */
const MAX_DELAY_MS = 2_147_483_647;

/** The health at the beginning of a run; undefined where nothing is checked. */
export function firstHealth({ health }: Pick<BoxDefinition, 'health'>): HealthState | undefined {
  return health === undefined ? undefined : { status: 'starting', failingStreak: 0, log: [] };
}

/** @param startedAt when the run started, in milliseconds since 1970 */
export function healthAfter(
  check: HealthCheck,
  before: HealthState,
  result: ProbeResult,
  startedAt: number,
): HealthState {
  const log = [...before.log, result].slice(-KEPT);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  // During the start period, failures of a box that was never healthy do not count.
  const early = Date.parse(result.start) - startedAt < check.startPeriod / NANOSECONDS;
  if (before.status === 'starting' && early) return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  const status = failingStreak >= check.retries ? 'unhealthy' : before.status;
  return { status, failingStreak, log };
}

/** Milliseconds from the end of a probe, or the start of the run, to the next probe. */
export function pauseBefore(
  check: HealthCheck,
  { status }: Pick<HealthState, 'status'>,
  startedAt: number,
  now: number,
): number {
  const early = now - startedAt < check.startPeriod / NANOSECONDS;
  return milliseconds(early && status === 'starting' ? check.startInterval : check.interval);
}

/** Converted to what a timer takes. */
export function milliseconds(nanoseconds: number): number {
  return Math.min(Math.max(1, Math.round(nanoseconds / NANOSECONDS)), MAX_DELAY_MS);
}
