/**
 * The variables that a service manager set for this process: where it listens for notifications,
 * the period of its watchdog, and which sockets it opened. Programs that this process starts must
 * not inherit them.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

export interface ServiceManager {
  /** The socket of its notifications: a path, or `@` and a name without a file. */
  readonly notifySocket: string | undefined;
  /** The period of its watchdog. */
  readonly watchdogMs: number | undefined;
  /** Descriptors of sockets that it listens on for this process. */
  readonly listening: readonly number[];
}

/** The first of their numbers (sd_listen_fds(3)). */
const FIRST = 3;
const MOST = 16;

const NAMES = [
  ...['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'],
  ...['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES'],
];

/**
 * Reads the variables, and removes them from `env`.
 *
 * @throws A3sError `invalid-argument` for values that no service manager sets
 */
export function takeServiceManager(env: NodeJS.ProcessEnv, pid: number): ServiceManager {
  const said = new Map(NAMES.map((name) => [name, env[name]] as const));
  for (const name of NAMES) delete env[name];
  const forUs = (name: string): boolean => (said.get(name) ?? String(pid)) === String(pid);
  const socket = said.get('NOTIFY_SOCKET');
  // Sockets of other families, such as vsock, cannot be used from here.
  const notifySocket = socket !== undefined && /^[/@]./.test(socket) ? socket : undefined;
  const interval = forUs('WATCHDOG_PID') ? numberIn(said, 'WATCHDOG_USEC', 1e15) : undefined;
  const listens = said.get('LISTEN_PID') === String(pid);
  const count = listens ? (numberIn(said, 'LISTEN_FDS', MOST) ?? 0) : 0;
  return {
    notifySocket,
    watchdogMs: interval === undefined || interval === 0 ? undefined : interval / 1000,
    listening: Array.from({ length: count }, (_, index) => FIRST + index),
  };
}

function numberIn(
  said: ReadonlyMap<string, string | undefined>,
  name: string,
  most: number,
): number | undefined {
  const text = said.get(name);
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  throw new A3sError('invalid-argument', `Cannot use ${name}=${text}: it takes 0 to ${most}`);
}
