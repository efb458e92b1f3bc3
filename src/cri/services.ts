/**
 * The two services of CRI, with all of their methods.
 *
 * @module
 */
import type { ServiceImpl } from '@connectrpc/connect';
import type { ImageServiceType, RuntimeServiceType } from './api/services.ts';
import { checkpointContainer } from './containers/checkpoint.ts';
import { getContainerEvents } from './containers/container-events.ts';
import { containerStatus } from './containers/container-status.ts';
import { createContainer } from './containers/create-container.ts';
import { execSync } from './containers/exec-sync.ts';
import { listContainers, streamContainers } from './containers/list-containers.ts';
import { reopenContainerLog } from './containers/reopen-log.ts';
import { removeContainer, startContainer, stopContainer } from './containers/run-container.ts';
import { updateContainerResources } from './containers/update-resources.ts';
import type { CriHost } from './host.ts';
import { imageFsInfo } from './images/image-fs-info.ts';
import { imageStatus } from './images/image-status.ts';
import { listImages, streamImages } from './images/list-images.ts';
import { pullImage } from './images/pull-image.ts';
import { removeImage } from './images/remove-image.ts';
import { listPods, streamPods } from './pods/list-pods.ts';
import { podSandboxStatus } from './pods/pod-sandbox-status.ts';
import { runPodSandbox } from './pods/run-pod-sandbox.ts';
import { removePodSandbox, stopPodSandbox } from './pods/stop-pod-sandbox.ts';
import { updatePodSandboxResources } from './pods/update-resources.ts';
import { PodCidr, runtimeConfig } from './runtime/config.ts';
import { status } from './runtime/status.ts';
import { version } from './runtime/version.ts';
import {
  containerStats,
  listContainerStats,
  streamContainerStats,
} from './stats/container-stats.ts';
import {
  listMetricDescriptors,
  listPodSandboxMetrics,
  streamPodSandboxMetrics,
} from './stats/metrics.ts';
import { listPodSandboxStats, podSandboxStats, streamPodSandboxStats } from './stats/pod-stats.ts';
import type { StreamUrls } from './streaming/streaming-server.ts';
import { attach } from './streams/attach.ts';
import { exec } from './streams/exec.ts';
import { portForward } from './streams/port-forward.ts';

export interface CriServices {
  readonly runtime: ServiceImpl<RuntimeServiceType>;
  readonly images: ServiceImpl<ImageServiceType>;
}

export function criServices(rt: CriHost, urls: StreamUrls, release: string): CriServices {
  const podCidr = new PodCidr();
  return {
    runtime: {
      version: () => version(release),
      status: ({ verbose }) => status(rt, verbose, podCidr),
      runtimeConfig,
      updateRuntimeConfig: (request) => podCidr.update(request),
      runPodSandbox: (request, { signal }) => runPodSandbox(rt, request, signal),
      stopPodSandbox: (request) => stopPodSandbox(rt, request),
      removePodSandbox: (request) => removePodSandbox(rt, request),
      podSandboxStatus: (request) => podSandboxStatus(rt, request),
      listPodSandbox: (request) => listPods(rt, request),
      streamPodSandboxes: (request) => streamPods(rt, request),
      createContainer: (request) => createContainer(rt, request),
      startContainer: (request) => startContainer(rt, request),
      stopContainer: (request, { signal }) => stopContainer(rt, request, signal),
      removeContainer: (request) => removeContainer(rt, request),
      listContainers: (request) => listContainers(rt, request),
      streamContainers: (request) => streamContainers(rt, request),
      containerStatus: (request) => containerStatus(rt, request),
      containerStats: (request) => containerStats(rt, request),
      listContainerStats: (request) => listContainerStats(rt, request),
      streamContainerStats: (request) => streamContainerStats(rt, request),
      podSandboxStats: (request) => podSandboxStats(rt, request),
      listPodSandboxStats: (request) => listPodSandboxStats(rt, request),
      streamPodSandboxStats: (request) => streamPodSandboxStats(rt, request),
      listMetricDescriptors,
      listPodSandboxMetrics: () => listPodSandboxMetrics(rt),
      streamPodSandboxMetrics: () => streamPodSandboxMetrics(rt),
      getContainerEvents: (_, { signal }) => getContainerEvents(rt, signal),
      checkpointContainer,
      updatePodSandboxResources: (request) => updatePodSandboxResources(rt, request),
      updateContainerResources: (request) => updateContainerResources(rt, request),
      reopenContainerLog: (request) => reopenContainerLog(rt, request),
      execSync: (request, { signal }) => execSync(rt, request, signal),
      exec: (request) => exec(rt, urls, request),
      attach: (request) => attach(rt, urls, request),
      portForward: (request) => portForward(rt, urls, request),
    },
    images: {
      listImages: (request) => listImages(rt, request),
      streamImages: (request) => streamImages(rt, request),
      imageStatus: (request) => imageStatus(rt, request),
      pullImage: (request, { signal }) => pullImage(rt, request, signal),
      removeImage: (request) => removeImage(rt, request),
      imageFsInfo: () => imageFsInfo(rt),
    },
  };
}
