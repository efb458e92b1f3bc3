/**
 * The services of CRI: their methods with the types of requests and answers.
 *
 * Made by `scripts/generate-cri-api.ts` of k8s.io/cri-api v0.36.3: see `docs/boxes/kubernetes.md`.
 *
 * @module
 */
import type { Message } from '@bufbuild/protobuf';
import type { GenMessage, GenService } from '@bufbuild/protobuf/codegenv2';
import type * as messages from './messages.ts';

interface Method<Kind extends string, Input extends Message, Output extends Message> {
  methodKind: Kind;
  input: GenMessage<Input>;
  output: GenMessage<Output>;
}

export type RuntimeServiceType = GenService<{
  version: Method<'unary', messages.VersionRequest, messages.VersionResponse>;
  runPodSandbox: Method<'unary', messages.RunPodSandboxRequest, messages.RunPodSandboxResponse>;
  stopPodSandbox: Method<'unary', messages.StopPodSandboxRequest, messages.StopPodSandboxResponse>;
  removePodSandbox: Method<
    'unary',
    messages.RemovePodSandboxRequest,
    messages.RemovePodSandboxResponse
  >;
  podSandboxStatus: Method<
    'unary',
    messages.PodSandboxStatusRequest,
    messages.PodSandboxStatusResponse
  >;
  listPodSandbox: Method<'unary', messages.ListPodSandboxRequest, messages.ListPodSandboxResponse>;
  streamPodSandboxes: Method<
    'server_streaming',
    messages.StreamPodSandboxesRequest,
    messages.StreamPodSandboxesResponse
  >;
  createContainer: Method<
    'unary',
    messages.CreateContainerRequest,
    messages.CreateContainerResponse
  >;
  startContainer: Method<'unary', messages.StartContainerRequest, messages.StartContainerResponse>;
  stopContainer: Method<'unary', messages.StopContainerRequest, messages.StopContainerResponse>;
  removeContainer: Method<
    'unary',
    messages.RemoveContainerRequest,
    messages.RemoveContainerResponse
  >;
  listContainers: Method<'unary', messages.ListContainersRequest, messages.ListContainersResponse>;
  streamContainers: Method<
    'server_streaming',
    messages.StreamContainersRequest,
    messages.StreamContainersResponse
  >;
  containerStatus: Method<
    'unary',
    messages.ContainerStatusRequest,
    messages.ContainerStatusResponse
  >;
  updateContainerResources: Method<
    'unary',
    messages.UpdateContainerResourcesRequest,
    messages.UpdateContainerResourcesResponse
  >;
  reopenContainerLog: Method<
    'unary',
    messages.ReopenContainerLogRequest,
    messages.ReopenContainerLogResponse
  >;
  execSync: Method<'unary', messages.ExecSyncRequest, messages.ExecSyncResponse>;
  exec: Method<'unary', messages.ExecRequest, messages.ExecResponse>;
  attach: Method<'unary', messages.AttachRequest, messages.AttachResponse>;
  portForward: Method<'unary', messages.PortForwardRequest, messages.PortForwardResponse>;
  containerStats: Method<'unary', messages.ContainerStatsRequest, messages.ContainerStatsResponse>;
  listContainerStats: Method<
    'unary',
    messages.ListContainerStatsRequest,
    messages.ListContainerStatsResponse
  >;
  streamContainerStats: Method<
    'server_streaming',
    messages.StreamContainerStatsRequest,
    messages.StreamContainerStatsResponse
  >;
  podSandboxStats: Method<
    'unary',
    messages.PodSandboxStatsRequest,
    messages.PodSandboxStatsResponse
  >;
  listPodSandboxStats: Method<
    'unary',
    messages.ListPodSandboxStatsRequest,
    messages.ListPodSandboxStatsResponse
  >;
  streamPodSandboxStats: Method<
    'server_streaming',
    messages.StreamPodSandboxStatsRequest,
    messages.StreamPodSandboxStatsResponse
  >;
  updateRuntimeConfig: Method<
    'unary',
    messages.UpdateRuntimeConfigRequest,
    messages.UpdateRuntimeConfigResponse
  >;
  status: Method<'unary', messages.StatusRequest, messages.StatusResponse>;
  checkpointContainer: Method<
    'unary',
    messages.CheckpointContainerRequest,
    messages.CheckpointContainerResponse
  >;
  getContainerEvents: Method<
    'server_streaming',
    messages.GetEventsRequest,
    messages.ContainerEventResponse
  >;
  listMetricDescriptors: Method<
    'unary',
    messages.ListMetricDescriptorsRequest,
    messages.ListMetricDescriptorsResponse
  >;
  listPodSandboxMetrics: Method<
    'unary',
    messages.ListPodSandboxMetricsRequest,
    messages.ListPodSandboxMetricsResponse
  >;
  streamPodSandboxMetrics: Method<
    'server_streaming',
    messages.StreamPodSandboxMetricsRequest,
    messages.StreamPodSandboxMetricsResponse
  >;
  runtimeConfig: Method<'unary', messages.RuntimeConfigRequest, messages.RuntimeConfigResponse>;
  updatePodSandboxResources: Method<
    'unary',
    messages.UpdatePodSandboxResourcesRequest,
    messages.UpdatePodSandboxResourcesResponse
  >;
}>;

export type ImageServiceType = GenService<{
  listImages: Method<'unary', messages.ListImagesRequest, messages.ListImagesResponse>;
  streamImages: Method<
    'server_streaming',
    messages.StreamImagesRequest,
    messages.StreamImagesResponse
  >;
  imageStatus: Method<'unary', messages.ImageStatusRequest, messages.ImageStatusResponse>;
  pullImage: Method<'unary', messages.PullImageRequest, messages.PullImageResponse>;
  removeImage: Method<'unary', messages.RemoveImageRequest, messages.RemoveImageResponse>;
  imageFsInfo: Method<'unary', messages.ImageFsInfoRequest, messages.ImageFsInfoResponse>;
}>;
