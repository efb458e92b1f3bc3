/**
 * Runs a program in a container, and returns what it printed.
 *
 * @module
 */
import { linkedSignal } from '../../async/linked-signal.ts';
import { A3sError } from '../../errors.ts';
import { GuestRefusal } from '../../guest/refusal.ts';
import type { PodHost } from '../pod-host.ts';
import { forgetExec, killExec, newExec } from './end-exec.ts';
import { execProcess, runningContainer } from './running-container.ts';

/** Of each stream: both fit a message of 16 MiB. What is beyond is read, and dropped. */
const MOST_OUTPUT = 7 * 1024 * 1024;

export interface ExecResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exitCode: number;
}

export interface ExecLimits {
  /** Time for the program, after which it is killed with all that it started; 0: unlimited. */
  readonly timeoutMs: number;
  /** Of the caller; where it gives up, the program is killed too. */
  readonly signal: AbortSignal;
}

/**
 * @throws A3sError `no-such-container`; `conflict` where it does not run; `exec-timeout`; what the
 * agent refuses, such as `command-not-found`
 */
export async function execSync(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'log'>,
  id: string,
  args: readonly string[],
  { timeoutMs, signal: given }: ExecLimits,
): Promise<ExecResult> {
  const { pod, definition, guest } = await runningContainer(rt, id, 'exec');
  const process = execProcess(definition, args, { terminal: false, stdin: false });
  const exec = newExec(pod, id, { sync: true });
  const late = new AbortController();
  const timer =
    timeoutMs > 0 ? setTimeout(() => late.abort(timedOut(timeoutMs)), timeoutMs) : undefined;
  const { signal, unlink } = linkedSignal(pod.signal, given, late.signal);
  let refused = false;
  try {
    const launching = guest.launch(exec.id, process, signal, { group: true });
    const launched = await launching.catch((error: unknown) => {
      refused = error instanceof GuestRefusal;
      throw error;
    });
    const kept = { stdout: new Kept(), stderr: new Kept() };
    for await (const { stream, offset, data } of launched.output) {
      kept[stream].add(data);
      launched.output.ack(offset + data.length);
    }
    const { exitCode } = await launched.exit;
    void forgetExec(rt, exec);
    return { stdout: kept.stdout.bytes(), stderr: kept.stderr.bytes(), exitCode };
  } catch (error) {
    // Nobody gets its output any more.
    if (refused) pod.execs.delete(exec.id);
    else void killExec(rt, exec);
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(timer);
    unlink();
  }
}

/** The first bytes of a stream. */
class Kept {
  readonly #pieces: Buffer[] = [];
  #size = 0;

  add(data: Buffer): void {
    const piece = data.subarray(0, MOST_OUTPUT - this.#size);
    if (piece.length === 0) return;
    // What was read shares its memory with frames around it.
    this.#pieces.push(Buffer.from(piece));
    this.#size += piece.length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

function timedOut(ms: number): A3sError {
  return new A3sError(
    'exec-timeout',
    `The program did not end within ${ms / 1000} s, and was killed`,
  );
}
