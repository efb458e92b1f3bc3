/**
 * `PortForward`.
 *
 * @module
 */
import { expectPlainPod } from '../../pods/confidential/host-may.ts';
import { expectReady } from '../../pods/containers/expect-ready.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { integer } from '../integer.ts';
import type { StreamUrls } from '../streaming/streaming-server.ts';

const LAST_PORT = 65_535;

/** Connections are made to the pod's loopback, where the agent is. */
export async function portForward(
  rt: Pick<PodHost, 'pods' | 'runningPods'>,
  urls: StreamUrls,
  request: cri.PortForwardRequest,
): Promise<Answer<cri.PortForwardResponse>> {
  const ports = request.port.map((port) => integer(BigInt(port), 'port', 1, LAST_PORT));
  const id = rt.pods.fullId('pod', request.podSandboxId);
  const why = 'the host opens no connections within its guest';
  expectPlainPod(expectReady(rt, id).definition, 'forward ports of', why);
  const dial = async (port: number) => {
    const running = rt.runningPods.expect(id);
    return await (await running.guest()).dialPort(port, running.signal);
  };
  return { url: urls.url({ kind: 'portforward', portForward: { ports, dial } }) };
}
