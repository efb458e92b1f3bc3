/**
 * Timeouts and bounds of requests to the agent.
 *
 * @module
 */
import * as z from 'zod';

/** The timeout of requests that the agent answers from memory. */
export const PROMPT_MS = 30_000;
/** The timeout of requests that wait for devices, mounts, or the program to be loaded. */
export const SETUP_MS = 120_000;
/** The largest list of processes that a guest may have. */
export const STATE_BYTES = 4 * 1024 * 1024;

/** The answer of a request that has none. */
export const nothing = z.undefined();

export function prompt(signal?: AbortSignal): {
  signal: AbortSignal | undefined;
  deadlineMs: number;
} {
  return { signal, deadlineMs: PROMPT_MS };
}
