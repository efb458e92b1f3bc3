/**
 * Decides by its restart policy whether a box starts again after a run. It depends on what is on
 * record, and on nothing else.
 *
 * @module
 */
import type { Box, BoxState, RestartPolicy } from '../record/box.ts';
import { timestamp } from '../record/clock.ts';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 60_000;
/** After a run of this length the next pause is the first one again. */
const GOOD_RUN_MS = 10_000;

/** A run that is over, or a failed start by the policy. */
export interface EndedRun {
  readonly exitCode: number;
  /** A user asked for the end: the policy rests until a user starts the box. */
  readonly stopRequested: boolean;
  /** 0 where the box did not come to run. */
  readonly ranMs: number;
  /** How often the policy has started the box since a user did. */
  readonly restartCount: number;
  /** How long the policy waited before this run; undefined where a user started it. */
  readonly delayMs: number | undefined;
}

export interface Restart {
  readonly delayMs: number;
  /** This restart included. */
  readonly restartCount: number;
}

/** The next start, or undefined where there is none. */
export function restartAfter(policy: RestartPolicy, run: EndedRun): Restart | undefined {
  if (run.stopRequested || !wants(policy, run)) return undefined;
  return { delayMs: delayAfter(run), restartCount: run.restartCount + 1 };
}

/** What is recorded of a restart that is decided now. */
export function restartRecord(
  restart: Restart | undefined,
  now = BigInt(Date.now()) * 1_000_000n,
): Pick<BoxState, 'restartAt' | 'restartDelayMs'> & Partial<Pick<BoxState, 'restartCount'>> {
  if (restart === undefined) return { restartAt: undefined, restartDelayMs: undefined };
  const { delayMs, restartCount } = restart;
  const restartAt = timestamp(now + BigInt(delayMs) * 1_000_000n);
  return { restartAt, restartDelayMs: delayMs, restartCount };
}

function wants({ name, maximumRetryCount }: RestartPolicy, run: EndedRun): boolean {
  switch (name) {
    case 'no':
      return false;
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      if (run.exitCode === 0) return false;
      return maximumRetryCount === 0 || run.restartCount < maximumRetryCount;
  }
}

function delayAfter({ ranMs, delayMs = 0 }: EndedRun): number {
  if (ranMs >= GOOD_RUN_MS || delayMs === 0) return FIRST_DELAY_MS;
  return Math.min(delayMs * 2, MAX_DELAY_MS);
}

/**
 * Whether a box that does not run is started when its host, and so every box, starts anew.
 *
 * @param run.started the box ran before; a box that never ran waits for its user
 */
export function restartsAfterReboot(
  { name }: RestartPolicy,
  run: { readonly started: boolean; readonly stopRequested: boolean },
): boolean {
  if (!run.started) return false;
  return name === 'always' || (name === 'unless-stopped' && !run.stopRequested);
}

/** Whether the box has ended and must be started when its host starts. */
export function isRestartedAfterReboot({
  definition,
  state,
}: Pick<Box, 'definition' | 'state'>): boolean {
  const { status, startedAt, stopRequested } = state;
  const run = { started: startedAt !== undefined, stopRequested };
  return status === 'exited' && restartsAfterReboot(definition.restart, run);
}
