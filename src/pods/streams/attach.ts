/**
 * Connects a client with the main process of a container.
 *
 * @module
 */
import { BoxInput } from '../../boxes/run/input.ts';
import { A3sError } from '../../errors.ts';
import { MAIN } from '../../guest/protocol.ts';
import { runningContainer } from '../containers/running-container.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import type { PodHost } from '../pod-host.ts';
import { feed, resize, type TerminalClient } from './terminal-client.ts';

/**
 * Returns when the process has ended, or the client is gone. The client gets the output from then
 * on. The input ends with its first client where the container was made so, as with other runtimes
 * not in a terminal.
 *
 * @throws A3sError `no-such-container`; `conflict` where it does not run
 */
export async function attachToContainer(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'log'>,
  id: string,
  { stdin }: { readonly stdin: boolean },
  client: TerminalClient,
): Promise<void> {
  const { pod, definition, guest } = await runningContainer(rt, id, 'attach');
  const { process, stdinOnce } = definition;
  const output = pod.outputs.get(id);
  if (output === undefined) {
    throw new A3sError('conflict', `The output of container ${id} is not followed at the moment`, {
      remedy: 'Attach again: crictl attach CONTAINER',
    });
  }
  const ended = new AbortController();
  const report = (error: unknown): void => {
    if (ended.signal.aborted || pod.signal.aborted || client.gone.aborted) return;
    rt.log.error('the input of a container broke off', error, { container: id });
  };
  if (stdin && process.stdin) {
    const input = inputOf(pod, id);
    feed(input, client, { ends: stdinOnce && !process.terminal }).catch(report);
  } else drop(client).catch(report);
  if (process.terminal) resize(guest, MAIN, client, ended.signal).catch(report);
  try {
    for await (const { stream, data } of output.follow(client.gone)) {
      await client.write(stream === 'stdout' ? 1 : 2, data);
    }
  } finally {
    ended.abort();
  }
}

/** The process has no input. The client's is read, so that its end is noticed. */
async function drop({ input }: Pick<TerminalClient, 'input'>): Promise<void> {
  for await (const _ of input);
}

/** One for all clients: the agent takes the input from one at a time. */
function inputOf(pod: RunningPod, id: string): BoxInput {
  const known = pod.inputs.get(id);
  if (known !== undefined) return known;
  const made = new BoxInput(async () => (await pod.guest()).container(id));
  pod.inputs.set(id, made);
  return made;
}
