/**
 * Runs a program in a container for a client that is connected with it.
 *
 * @module
 */
import { BoxInput } from '../../boxes/run/input.ts';
import { GuestRefusal } from '../../guest/refusal.ts';
import { drainExec, forgetExec, newExec } from '../containers/end-exec.ts';
import { execProcess, runningContainer } from '../containers/running-container.ts';
import type { PodHost } from '../pod-host.ts';
import { feed, resize, type TerminalClient } from './terminal-client.ts';

export interface AttachedExec {
  readonly args: readonly string[];
  readonly stdin: boolean;
  readonly terminal: boolean;
}

/**
 * Returns the exit code, once the client has all output. When the client is gone, the program runs
 * on, and its output is read and dropped.
 *
 * @throws A3sError `no-such-container`; `conflict` where it does not run; what the agent refuses,
 * such as `command-not-found`
 */
export async function execAttached(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'log'>,
  id: string,
  { args, stdin, terminal }: AttachedExec,
  client: TerminalClient,
): Promise<number> {
  const { pod, definition, guest } = await runningContainer(rt, id, 'exec');
  const process = execProcess(definition, args, { terminal, stdin });
  const exec = newExec(pod, id);
  const launching = guest.launch(exec.id, process, pod.signal);
  const { output, exit } = await launching.catch((error: unknown) => {
    if (error instanceof GuestRefusal) pod.execs.delete(exec.id);
    else void drainExec(rt, exec);
    throw error;
  });
  const ended = new AbortController();
  const report = (error: unknown): void => {
    if (ended.signal.aborted || pod.signal.aborted || client.gone.aborted) return;
    rt.log.error('the input of an exec broke off', error, { exec: exec.id });
  };
  const input = new BoxInput(async () => guest, exec.id);
  if (stdin) feed(input, client, { ends: true }).catch(report);
  if (terminal) resize(guest, exec.id, client, ended.signal).catch(report);
  let over = false;
  try {
    for await (const { stream, offset, data } of output) {
      await client.write(stream === 'stdout' ? 1 : 2, data);
      output.ack(offset + data.length);
    }
    const { exitCode } = await exit;
    over = true;
    return exitCode;
  } finally {
    ended.abort();
    void (over ? forgetExec(rt, exec) : drainExec(rt, exec));
  }
}
