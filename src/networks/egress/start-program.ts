/**
 * Starts a program that outlives this one, and waits until it says that it is ready.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';

const READY_MS = 60_000;

export interface ProgramToStart {
  /** Starts it, with its standard output as a pipe. */
  readonly start: () => Promise<ChildProcess>;
  /** Gets its number. */
  readonly pidFile: string;
  readonly readyMs?: number;
  /** Ends it before it is ready. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * @param why reads the last line that it has said of failures
 * @throws A3sError `network-failed` where it does not start, or ends before it is ready
 */
export async function startProgram(
  { start, pidFile, readyMs = READY_MS, signal }: ProgramToStart,
  why: () => Promise<string>,
): Promise<void> {
  signal?.throwIfAborted();
  const child = await started(start);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, readyMs);
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  if (signal?.aborted === true) kill();
  const ended = once(child, 'close').then(() => false);
  const said = child.stdout === null ? ended : once(child.stdout, 'data').then(() => true);
  try {
    const [isReady] = await Promise.all([
      Promise.race([said, ended]),
      writeFile(pidFile, String(child.pid), { mode: 0o600 }),
    ]);
    if (!isReady) throw isLate ? late(readyMs) : failed(await why());
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
    // It outlives this process, and says nothing more here.
    child.stdout?.destroy();
    child.unref();
  }
}

async function started(start: ProgramToStart['start']): Promise<ChildProcess> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof A3sError) throw error;
    throw failed(error instanceof Error ? error.message : String(error), error);
  }
}

function failed(why: string, cause?: unknown): A3sError {
  return new A3sError('network-failed', `Cannot limit what the box reaches: ${why}`, {
    remedy: 'See a3s-box info for what this host lacks.',
    cause,
  });
}

function late(readyMs: number): A3sError {
  return new A3sError(
    'network-failed',
    `Cannot limit what the box reaches: its program did not start within ${readyMs / 1000} s`,
    { remedy: 'The host is too busy: start the box again when it has less to do.' },
  );
}
