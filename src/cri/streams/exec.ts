/**
 * `Exec`.
 *
 * @module
 */
import { runningContainer } from '../../pods/containers/running-container.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import { execAttached } from '../../pods/streams/exec.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { invalid } from '../refusal.ts';
import type { StreamUrls } from '../streaming/streaming-server.ts';
import { shapeOf } from './command-shape.ts';

/** The program starts when the client has connected. */
export async function exec(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'log'>,
  urls: StreamUrls,
  request: cri.ExecRequest,
): Promise<Answer<cri.ExecResponse>> {
  const args = request.cmd;
  if (args.length === 0) throw invalid('cmd', 'it is empty');
  const shape = shapeOf(request);
  const id = rt.pods.fullId('container', request.containerId);
  await runningContainer(rt, id, 'exec');
  const { stdin, terminal } = shape;
  const command = {
    ...shape,
    serve: (client: Parameters<typeof execAttached>[3]) =>
      execAttached(rt, id, { args, stdin, terminal }, client),
  };
  return { url: urls.url({ kind: 'exec', command }) };
}
