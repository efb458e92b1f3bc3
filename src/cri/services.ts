/**
 * The two services of CRI. A method that is left out answers that it is not implemented.
 *
 * @module
 */
import type { ServiceImpl } from '@connectrpc/connect';
import type { ImageServiceType, RuntimeServiceType } from './api/services.ts';
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
import { PodCidr, runtimeConfig } from './runtime/config.ts';
import { status } from './runtime/status.ts';
import { version } from './runtime/version.ts';
import type { StreamUrls } from './streaming/streaming-server.ts';
import { attach } from './streams/attach.ts';
import { exec } from './streams/exec.ts';
import { portForward } from './streams/port-forward.ts';

export interface CriServices {
  readonly runtime: Partial<ServiceImpl<RuntimeServiceType>>;
  readonly images: Partial<ServiceImpl<ImageServiceType>>;
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
