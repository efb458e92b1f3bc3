/**
 * How a shim is started.
 *
 * @module
 */

/** Descriptors that the monitor and the shim inherit, by number. */
export const SHIM_DESCRIPTORS = {
  /** The description, read up to its end. */
  description: 3,
  /** The run record of the shim, open for appending. */
  record: 4,
  /**
   * The exit status, open for appending: the monitor's alone, and closed in the shim. Nobody but
   * the server should be allowed to open the file: `/proc/PID/fd` of the monitor leads to it.
   */
  status: 5,
  /** The first number for files that the description names. */
  firstOther: 6,
} as const;

/**
 * The monitor is the parent of the shim. libkrun ends its process without a chance to write
 * anything, and only a parent learns the exit status, also when the server has restarted. A shell
 * of 1 MB that waits is the least such parent.
 *
 * setpriv forbids new rights before Node starts: the setting is each thread's own, and Node's
 * threads inherit it from the first.
 *
 * It ignores signals, and a standard error that nobody reads: the shell reports there how the shim
 * died, before it writes the exit status.
 */
const MONITOR = [
  "trap '' HUP INT TERM PIPE XFSZ",
  `setpriv --no-new-privs -- "$@" ${SHIM_DESCRIPTORS.status}>&-`,
  'status=$?',
  `printf '{"status":%d}\\n' "$status" >&${SHIM_DESCRIPTORS.status}`,
  'exit "$status"',
].join('; ');

/** Smaller and without compiled code of its own: the shim does not run JavaScript for long. */
const NODE_FLAGS = [
  '--jitless',
  '--no-expose-wasm',
  '--max-semi-space-size=1',
  '--v8-pool-size=0',
] as const;

/** Its environment, besides what the dynamic loader needs. */
export const SHIM_ENVIRONMENT = { MALLOC_ARENA_MAX: '1', UV_THREADPOOL_SIZE: '1' } as const;

/** The name that the monitor's shell goes by: its argument after the script. */
export const SHIM_MONITOR = 'krun-monitor';

export interface ShimCommand {
  readonly path: string;
  readonly args: readonly string[];
}

/**
 * @param shim the bundle of `main.ts`
 * @param name what the process is found by: the box's id and runtime directory, for example
 */
export function shimCommand(shim: string, name: readonly string[], node: string): ShimCommand {
  return {
    path: '/bin/sh',
    args: ['-c', MONITOR, SHIM_MONITOR, node, ...NODE_FLAGS, shim, ...name],
  };
}
