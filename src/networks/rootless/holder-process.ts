/**
 * The process that holds an ordinary user's networks: a user namespace in which that user is root,
 * and a mount namespace with the names of network namespaces. It does nothing, and outlives the
 * server. As long as it runs, programs can be started in its namespaces.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { retry } from '../../async/retry.ts';
import { A3sError } from '../../errors.ts';
import { findTool } from '../../jail/tools.ts';
import { killProcess, statOf, untilGone } from '../../processes/fence.ts';
import { NEW_NAMESPACES } from '../host/available.ts';

const START_MS = 10_000;
const END_MS = 10_000;
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
/** It waits for what nobody writes: it has the pipe open for writing itself. */
const WAIT =
  'mkfifo "$1" && echo $$ > "$2" && echo ready && exec cat "$1" 3<>"$1" > /dev/null 2> /dev/null';

/** Where it writes its number, and the pipe that is in its command line. */
function filesIn(directory: string): { pidFile: string; pipe: string } {
  return { pidFile: join(directory, 'holder.pid'), pipe: join(directory, 'holder.pipe') };
}

/**
 * Starts it.
 *
 * @param directory exists
 * @param where in namespaces of its own, or in those of this process
 * @returns its number
 * @throws A3sError `network-failed`, `tool-missing`
 */
export async function startHolderProcess(
  directory: string,
  where: 'new-namespaces' | 'here',
): Promise<number> {
  const { pidFile, pipe } = filesIn(directory);
  for (const file of [pidFile, pipe]) await rm(file, { force: true });
  const wait = ['/bin/sh', '-c', WAIT, 'sh', pipe, pidFile] as const;
  const [program, ...args] =
    where === 'here'
      ? wait
      : ([await findTool('unshare'), ...NEW_NAMESPACES, '--', ...wait] as const);
  const child = spawn(program, args, {
    ...{ cwd: '/', env: { PATH }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  child.unref();
  const complaint = text(child.stderr);
  const ended = once(child, 'close').then(() => false);
  const isReady = await Promise.race([once(child.stdout, 'data').then(() => true), ended]);
  child.stdout.destroy();
  if (!isReady) throw failed((await complaint).trim());
  child.stderr.destroy();
  // Nobody reads what it has not said.
  complaint.catch(() => undefined);
  try {
    const signal = AbortSignal.timeout(START_MS);
    return await retry(async () => holderProcess(directory), signal);
  } catch (error) {
    throw failed('what holds them has ended at once', error);
  }
}

function failed(why: string, cause?: unknown): A3sError {
  return new A3sError('network-failed', `Cannot make namespaces for networks: ${why}`, {
    remedy: 'See a3s-box info for what this host lacks.',
    cause,
  });
}

/** Its number; undefined where none runs. */
export function holderProcess(directory: string): number | undefined {
  const { pidFile, pipe } = filesIn(directory);
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    if (!Number.isInteger(pid) || pid <= 1) return undefined;
    // Another process may have the number by now.
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return args[0] === 'cat' && args.includes(pipe) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Ends it, if it runs, and waits for that. */
export async function endHolderProcess(directory: string): Promise<void> {
  const pid = holderProcess(directory);
  if (pid === undefined) return;
  const stat = statOf(pid);
  if (stat === undefined) return;
  killProcess(stat);
  await untilGone([stat], AbortSignal.timeout(END_MS));
}
