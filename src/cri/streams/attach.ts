/**
 * `Attach`.
 *
 * @module
 */
import { runningContainer } from '../../pods/containers/running-container.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import { attachToContainer } from '../../pods/streams/attach.ts';
import type { TerminalClient } from '../../pods/streams/terminal-client.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { invalid } from '../refusal.ts';
import type { StreamUrls } from '../streaming/streaming-server.ts';
import { shapeOf } from './command-shape.ts';

export async function attach(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'log'>,
  urls: StreamUrls,
  request: cri.AttachRequest,
): Promise<Answer<cri.AttachResponse>> {
  const shape = shapeOf(request);
  const id = rt.pods.fullId('container', request.containerId);
  const { definition } = await runningContainer(rt, id, 'attach');
  if (definition.process.terminal !== shape.terminal) {
    throw invalid('tty', 'the container was made otherwise');
  }
  const serve = async (client: TerminalClient): Promise<undefined> => {
    await attachToContainer(rt, id, shape, client);
  };
  return { url: urls.url({ kind: 'attach', command: { ...shape, serve } }) };
}
