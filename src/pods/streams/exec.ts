/**
 * Runs a program in a container for a client that is connected with it.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { BoxInput } from '../../boxes/run/input.ts';
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
  const { pod, definition, guest } = await runningContainer(rt, id);
  const execId = randomBytes(16).toString('hex');
  const process = execProcess(definition, args, { terminal, stdin });
  const { output, exit } = await guest.launch(execId, process, pod.signal);
  const ended = new AbortController();
  const report = (error: unknown): void => {
    if (ended.signal.aborted || pod.signal.aborted || client.gone.aborted) return;
    rt.log.error('the input of an exec broke off', error, { exec: execId });
  };
  const input = new BoxInput(async () => guest, execId);
  if (stdin) feed(input, client, { ends: true }).catch(report);
  if (terminal) resize(guest, execId, client, ended.signal).catch(report);
  try {
    for await (const { stream, offset, data } of output) {
      await client.write(stream === 'stdout' ? 1 : 2, data);
      output.ack(offset + data.length);
    }
    return (await exit).exitCode;
  } finally {
    ended.abort();
    guest.forget(execId).catch((error: unknown) => {
      if (!pod.signal.aborted) rt.log.error('an exec is not forgotten', error, { exec: execId });
    });
  }
}
