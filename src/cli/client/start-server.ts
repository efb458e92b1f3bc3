/**
 * Starts the control server of this home.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import { isDiskFull } from '../../disk-full.ts';
import { A3sError } from '../../errors.ts';
import { makeDirectories } from '../../make-directories.ts';
import { isErrorCode, printable } from './failure.ts';
import { isObject } from './json.ts';

/** The descriptor on which a starting server reports that it serves, or why it does not. */
const READY_FD = 3;

const START_DEADLINE_MS = 60_000;
const POLL_MS = 20;
const WINNER_MS = 3_000;
const MAX_READINESS = 64 * 1024;
const MAX_LOG = 8 * 1024 * 1024;

/**
 * The variables of the caller's environment that a server inherits: none that changes how Node
 * runs, and none that signs.
 */
const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TZ|TMPDIR|A3S_(?!SIGNING_)[A-Z0-9_]+|XDG_[A-Z_]+|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS)$/;

/**
 * Starts a server, or waits for one that another command starts, until it answers.
 *
 * @param installDir the directory of `server.cjs`
 * @param answers whether a server answers
 * @throws A3sError the reason for which the server did not start, or `server-unreachable`
 */
export async function startUntil(
  answers: () => Promise<boolean>,
  config: Config,
  installDir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    const verdict = await startServer(config, installDir, env);
    if (verdict === 'ready') return;
    if (Date.now() > deadline) throw verdict;
    if (await awaitWinner(answers)) return;
  }
}

/**
 * Starts a server in a session of its own. The error is `server-running` when another was faster.
 */
async function startServer(
  config: Config,
  installDir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<'ready' | A3sError> {
  const bundle = serverBundle(installDir);
  const log = await openLog(config.home);
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, ['--', bundle], {
      cwd: '/',
      detached: true,
      env: serverEnvironment(env),
      stdio: ['ignore', log, log, 'pipe'],
    });
  } finally {
    closeSync(log);
  }
  const readiness = child.stdio[READY_FD] as Readable;
  try {
    const line = await readLine(child, readiness);
    const failure = readFailure(line, join(config.home, 'server.log'));
    if (failure === undefined) return 'ready';
    if (failure.code === 'server-running') return failure;
    throw failure;
  } finally {
    readiness.destroy();
    child.unref();
  }
}

/** @throws A3sError `tool-missing` where the build has not been run */
export function serverBundle(installDir: string): string {
  const bundle = join(installDir, 'server.cjs');
  if (existsSync(bundle)) return bundle;
  throw new A3sError('tool-missing', `Cannot start the server: ${bundle} is missing`, {
    remedy: 'Run npm run setup first.',
  });
}

export function serverEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const clean: Record<string, string> = { A3S_READY_FD: String(READY_FD) };
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && name !== 'A3S_READY_FD' && PASSED_ON.test(name)) clean[name] = value;
  }
  return clean;
}

/**
 * Variables that a service manager sets for the process that it starts. No process that this one
 * starts gets them (sd_notify(3), sd_listen_fds(3)).
 */
const SERVICE = /^(NOTIFY_SOCKET|WATCHDOG_(USEC|PID)|LISTEN_(FDS|PID|FDNAMES))$/;
const FIRST_PASSED = 3;
const MOST_PASSED = 16;

/** The environment of a server that replaces this process, and its inherited descriptors. */
export function serviceEnvironment(env: Readonly<Record<string, string | undefined>>): {
  readonly env: Record<string, string>;
  readonly descriptors: readonly number[];
} {
  const { A3S_READY_FD: _, ...clean } = serverEnvironment(env);
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && SERVICE.test(name)) clean[name] = value;
  }
  const count = env['LISTEN_PID'] === String(process.pid) ? Number(env['LISTEN_FDS']) : 0;
  const passed = Number.isInteger(count) ? Math.min(Math.max(count, 0), MOST_PASSED) : 0;
  return {
    env: clean,
    descriptors: Array.from({ length: passed }, (_none, index) => FIRST_PASSED + index),
  };
}

async function openLog(home: string): Promise<number> {
  const path = join(home, 'server.log');
  try {
    await makeDirectories(home, 0o700);
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG) {
      renameSync(path, `${path}.1`);
    }
    return openSync(path, 'a', 0o600);
  } catch (error) {
    const full = isDiskFull(error);
    const detail = error instanceof Error ? error.message : String(error);
    throw new A3sError(full ? 'disk-full' : 'state-unusable', `Cannot write ${path}: ${detail}`, {
      remedy: full
        ? 'Free some space and try again.'
        : 'Set A3S_HOME to a directory of your own that can be written.',
      cause: error,
    });
  }
}

/** The one line that the server writes once it serves, or before it exits. */
async function readLine(child: ChildProcess, readiness: Readable): Promise<string> {
  const deadline = AbortSignal.timeout(START_DEADLINE_MS);
  const late = (): void => {
    child.kill('SIGKILL');
    readiness.destroy(
      new A3sError('server-unreachable', `The server did not start in ${START_DEADLINE_MS} ms`),
    );
  };
  deadline.addEventListener('abort', late, { once: true });
  child.once('error', (error) => readiness.destroy(error));
  try {
    let text = '';
    for await (const chunk of readiness.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) return text.slice(0, end);
      if (text.length > MAX_READINESS) break;
    }
    return text;
  } finally {
    deadline.removeEventListener('abort', late);
  }
}

/**
 * `ready`, or `{code, message, remedy}`. Any other text means that the server died before it could
 * report the reason.
 */
export function readFailure(line: string, log: string): A3sError | undefined {
  if (line === 'ready') return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    parsed = undefined;
  }
  if (!isObject(parsed) || typeof parsed['message'] !== 'string') {
    return new A3sError('server-unreachable', 'The control server ended before it served', {
      remedy: `Read ${log} for the reason.`,
    });
  }
  const { message, remedy } = parsed;
  const code = isErrorCode(parsed['code']) ? parsed['code'] : 'internal';
  // An expected error is printed in full, and is not in the log.
  const more = code === 'internal' ? `Read ${log} for more.` : undefined;
  return new A3sError(code, printable(String(message)), {
    remedy: typeof remedy === 'string' ? printable(remedy) : more,
  });
}

/**
 * The winner of a race holds the state but may not serve yet, and reports to its own starter alone,
 * so this polls. False when it still does not answer after a while: it may have been a server that
 * was ending.
 */
async function awaitWinner(answers: () => Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + WINNER_MS;
  while (Date.now() < deadline) {
    if (await answers()) return true;
    await delay(POLL_MS);
  }
  return false;
}
