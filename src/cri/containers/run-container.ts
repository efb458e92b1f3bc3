/**
 * `StartContainer`, `StopContainer` and `RemoveContainer`. A container that is not there is no
 * error of the last two.
 *
 * @module
 */
import { removeContainer as remove } from '../../pods/containers/remove-container.ts';
import { startContainer as start } from '../../pods/containers/start-container.ts';
import { stopContainer as stop } from '../../pods/containers/stop-container.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';

/** In seconds: longer than any pod is given, and less than a timer overflows at. */
const LONGEST_GRACE = 2_000_000;

export async function startContainer(
  rt: PodHost,
  { containerId }: cri.StartContainerRequest,
): Promise<Answer<cri.StartContainerResponse>> {
  await start(rt, rt.pods.fullId('container', containerId));
  return {};
}

export async function stopContainer(
  rt: PodHost,
  { containerId, timeout }: cri.StopContainerRequest,
  left: AbortSignal,
): Promise<Answer<cri.StopContainerResponse>> {
  const seconds = Math.min(LONGEST_GRACE, Math.max(0, Number(timeout)));
  await stop(rt, rt.pods.fullId('container', containerId), seconds * 1000, left);
  return {};
}

export async function removeContainer(
  rt: PodHost,
  { containerId }: cri.RemoveContainerRequest,
): Promise<Answer<cri.RemoveContainerResponse>> {
  await remove(rt, rt.pods.fullId('container', containerId));
  return {};
}
