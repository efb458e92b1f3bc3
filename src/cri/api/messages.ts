/**
 * The messages of CRI.
 *
 * Made by `scripts/generate-cri-api.ts` of k8s.io/cri-api v0.36.3: see `docs/boxes/kubernetes.md`.
 *
 * @module
 */
import type { Message } from '@bufbuild/protobuf';

export type VersionRequest = Message<'runtime.v1.VersionRequest'> & { version: string };

export type VersionResponse = Message<'runtime.v1.VersionResponse'> & {
  version: string;
  runtimeName: string;
  runtimeVersion: string;
  runtimeApiVersion: string;
};

export type DNSConfig = Message<'runtime.v1.DNSConfig'> & {
  servers: string[];
  searches: string[];
  options: string[];
};

export type PortMapping = Message<'runtime.v1.PortMapping'> & {
  protocol: number;
  containerPort: number;
  hostPort: number;
  hostIp: string;
};

export type Mount = Message<'runtime.v1.Mount'> & {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  selinuxRelabel: boolean;
  propagation: number;
  uidMappings: IDMapping[];
  gidMappings: IDMapping[];
  recursiveReadOnly: boolean;
  image?: ImageSpec;
  imageSubPath: string;
};

export type IDMapping = Message<'runtime.v1.IDMapping'> & {
  hostId: number;
  containerId: number;
  length: number;
};

export type UserNamespace = Message<'runtime.v1.UserNamespace'> & {
  mode: number;
  uids: IDMapping[];
  gids: IDMapping[];
};

export type NamespaceOption = Message<'runtime.v1.NamespaceOption'> & {
  network: number;
  pid: number;
  ipc: number;
  targetId: string;
  usernsOptions?: UserNamespace;
};

export type Int64Value = Message<'runtime.v1.Int64Value'> & { value: bigint };

export type LinuxSandboxSecurityContext = Message<'runtime.v1.LinuxSandboxSecurityContext'> & {
  namespaceOptions?: NamespaceOption;
  selinuxOptions?: SELinuxOption;
  runAsUser?: Int64Value;
  runAsGroup?: Int64Value;
  readonlyRootfs: boolean;
  supplementalGroups: bigint[];
  supplementalGroupsPolicy: number;
  privileged: boolean;
  seccomp?: SecurityProfile;
  apparmor?: SecurityProfile;
  seccompProfilePath: string;
};

export type SecurityProfile = Message<'runtime.v1.SecurityProfile'> & {
  profileType: number;
  localhostRef: string;
};

export type LinuxPodSandboxConfig = Message<'runtime.v1.LinuxPodSandboxConfig'> & {
  cgroupParent: string;
  securityContext?: LinuxSandboxSecurityContext;
  sysctls: { [key: string]: string };
  overhead?: LinuxContainerResources;
  resources?: LinuxContainerResources;
};

export type PodSandboxMetadata = Message<'runtime.v1.PodSandboxMetadata'> & {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
};

export type PodSandboxConfig = Message<'runtime.v1.PodSandboxConfig'> & {
  metadata?: PodSandboxMetadata;
  hostname: string;
  logDirectory: string;
  dnsConfig?: DNSConfig;
  portMappings: PortMapping[];
  labels: { [key: string]: string };
  annotations: { [key: string]: string };
  linux?: LinuxPodSandboxConfig;
};

export type RunPodSandboxRequest = Message<'runtime.v1.RunPodSandboxRequest'> & {
  config?: PodSandboxConfig;
  runtimeHandler: string;
};

export type RunPodSandboxResponse = Message<'runtime.v1.RunPodSandboxResponse'> & {
  podSandboxId: string;
};

export type StopPodSandboxRequest = Message<'runtime.v1.StopPodSandboxRequest'> & {
  podSandboxId: string;
};

export type StopPodSandboxResponse = Message<'runtime.v1.StopPodSandboxResponse'> & {};

export type RemovePodSandboxRequest = Message<'runtime.v1.RemovePodSandboxRequest'> & {
  podSandboxId: string;
};

export type RemovePodSandboxResponse = Message<'runtime.v1.RemovePodSandboxResponse'> & {};

export type PodSandboxStatusRequest = Message<'runtime.v1.PodSandboxStatusRequest'> & {
  podSandboxId: string;
  verbose: boolean;
};

export type PodIP = Message<'runtime.v1.PodIP'> & { ip: string };

export type PodSandboxNetworkStatus = Message<'runtime.v1.PodSandboxNetworkStatus'> & {
  ip: string;
  additionalIps: PodIP[];
};

export type Namespace = Message<'runtime.v1.Namespace'> & { options?: NamespaceOption };

export type LinuxPodSandboxStatus = Message<'runtime.v1.LinuxPodSandboxStatus'> & {
  namespaces?: Namespace;
};

export type PodSandboxStatus = Message<'runtime.v1.PodSandboxStatus'> & {
  id: string;
  metadata?: PodSandboxMetadata;
  state: number;
  createdAt: bigint;
  network?: PodSandboxNetworkStatus;
  linux?: LinuxPodSandboxStatus;
  labels: { [key: string]: string };
  annotations: { [key: string]: string };
  runtimeHandler: string;
};

export type PodSandboxStatusResponse = Message<'runtime.v1.PodSandboxStatusResponse'> & {
  status?: PodSandboxStatus;
  info: { [key: string]: string };
  containersStatuses: ContainerStatus[];
  timestamp: bigint;
};

export type PodSandboxStateValue = Message<'runtime.v1.PodSandboxStateValue'> & { state: number };

export type PodSandboxFilter = Message<'runtime.v1.PodSandboxFilter'> & {
  id: string;
  state?: PodSandboxStateValue;
  labelSelector: { [key: string]: string };
};

export type ListPodSandboxRequest = Message<'runtime.v1.ListPodSandboxRequest'> & {
  filter?: PodSandboxFilter;
};

export type PodSandbox = Message<'runtime.v1.PodSandbox'> & {
  id: string;
  metadata?: PodSandboxMetadata;
  state: number;
  createdAt: bigint;
  labels: { [key: string]: string };
  annotations: { [key: string]: string };
  runtimeHandler: string;
};

export type ListPodSandboxResponse = Message<'runtime.v1.ListPodSandboxResponse'> & {
  items: PodSandbox[];
};

export type StreamPodSandboxesRequest = Message<'runtime.v1.StreamPodSandboxesRequest'> & {
  filter?: PodSandboxFilter;
};

export type StreamPodSandboxesResponse = Message<'runtime.v1.StreamPodSandboxesResponse'> & {
  podSandboxes: PodSandbox[];
};

export type PodSandboxStatsRequest = Message<'runtime.v1.PodSandboxStatsRequest'> & {
  podSandboxId: string;
};

export type PodSandboxStatsResponse = Message<'runtime.v1.PodSandboxStatsResponse'> & {
  stats?: PodSandboxStats;
};

export type PodSandboxStatsFilter = Message<'runtime.v1.PodSandboxStatsFilter'> & {
  id: string;
  labelSelector: { [key: string]: string };
};

export type ListPodSandboxStatsRequest = Message<'runtime.v1.ListPodSandboxStatsRequest'> & {
  filter?: PodSandboxStatsFilter;
};

export type ListPodSandboxStatsResponse = Message<'runtime.v1.ListPodSandboxStatsResponse'> & {
  stats: PodSandboxStats[];
};

export type StreamPodSandboxStatsRequest = Message<'runtime.v1.StreamPodSandboxStatsRequest'> & {
  filter?: PodSandboxStatsFilter;
};

export type StreamPodSandboxStatsResponse = Message<'runtime.v1.StreamPodSandboxStatsResponse'> & {
  podSandboxStats: PodSandboxStats[];
};

export type PodSandboxAttributes = Message<'runtime.v1.PodSandboxAttributes'> & {
  id: string;
  metadata?: PodSandboxMetadata;
  labels: { [key: string]: string };
  annotations: { [key: string]: string };
};

export type PodSandboxStats = Message<'runtime.v1.PodSandboxStats'> & {
  attributes?: PodSandboxAttributes;
  linux?: LinuxPodSandboxStats;
};

export type LinuxPodSandboxStats = Message<'runtime.v1.LinuxPodSandboxStats'> & {
  cpu?: CpuUsage;
  memory?: MemoryUsage;
  network?: NetworkUsage;
  process?: ProcessUsage;
  containers: ContainerStats[];
  io?: IoUsage;
};

export type NetworkUsage = Message<'runtime.v1.NetworkUsage'> & {
  timestamp: bigint;
  defaultInterface?: NetworkInterfaceUsage;
  interfaces: NetworkInterfaceUsage[];
};

export type NetworkInterfaceUsage = Message<'runtime.v1.NetworkInterfaceUsage'> & {
  name: string;
  rxBytes?: UInt64Value;
  rxErrors?: UInt64Value;
  txBytes?: UInt64Value;
  txErrors?: UInt64Value;
};

export type ProcessUsage = Message<'runtime.v1.ProcessUsage'> & {
  timestamp: bigint;
  processCount?: UInt64Value;
};

export type ImageSpec = Message<'runtime.v1.ImageSpec'> & {
  image: string;
  annotations: { [key: string]: string };
  userSpecifiedImage: string;
  runtimeHandler: string;
  imageRef: string;
};

export type KeyValue = Message<'runtime.v1.KeyValue'> & { key: string; value: Uint8Array };

export type LinuxContainerResources = Message<'runtime.v1.LinuxContainerResources'> & {
  cpuPeriod: bigint;
  cpuQuota: bigint;
  cpuShares: bigint;
  memoryLimitInBytes: bigint;
  oomScoreAdj: bigint;
  cpusetCpus: string;
  cpusetMems: string;
  hugepageLimits: HugepageLimit[];
  unified: { [key: string]: string };
  memorySwapLimitInBytes: bigint;
};

export type HugepageLimit = Message<'runtime.v1.HugepageLimit'> & {
  pageSize: string;
  limit: bigint;
};

export type SELinuxOption = Message<'runtime.v1.SELinuxOption'> & {
  user: string;
  role: string;
  type: string;
  level: string;
};

export type Capability = Message<'runtime.v1.Capability'> & {
  addCapabilities: string[];
  dropCapabilities: string[];
  addAmbientCapabilities: string[];
};

export type LinuxContainerSecurityContext = Message<'runtime.v1.LinuxContainerSecurityContext'> & {
  capabilities?: Capability;
  privileged: boolean;
  namespaceOptions?: NamespaceOption;
  selinuxOptions?: SELinuxOption;
  runAsUser?: Int64Value;
  runAsGroup?: Int64Value;
  runAsUsername: string;
  readonlyRootfs: boolean;
  supplementalGroups: bigint[];
  supplementalGroupsPolicy: number;
  noNewPrivs: boolean;
  maskedPaths: string[];
  readonlyPaths: string[];
  seccomp?: SecurityProfile;
  apparmor?: SecurityProfile;
  apparmorProfile: string;
  seccompProfilePath: string;
};

export type LinuxContainerConfig = Message<'runtime.v1.LinuxContainerConfig'> & {
  resources?: LinuxContainerResources;
  securityContext?: LinuxContainerSecurityContext;
};

export type LinuxContainerUser = Message<'runtime.v1.LinuxContainerUser'> & {
  uid: bigint;
  gid: bigint;
  supplementalGroups: bigint[];
};

export type ContainerMetadata = Message<'runtime.v1.ContainerMetadata'> & {
  name: string;
  attempt: number;
};

export type Device = Message<'runtime.v1.Device'> & {
  containerPath: string;
  hostPath: string;
  permissions: string;
};

export type CDIDevice = Message<'runtime.v1.CDIDevice'> & { name: string };

export type ContainerConfig = Message<'runtime.v1.ContainerConfig'> & {
  metadata?: ContainerMetadata;
  image?: ImageSpec;
  command: string[];
  args: string[];
  workingDir: string;
  envs: KeyValue[];
  mounts: Mount[];
  devices: Device[];
  labels: { [key: string]: string };
  annotations: { [key: string]: string };
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  linux?: LinuxContainerConfig;
  CDIDevices: CDIDevice[];
  stopSignal: number;
};

export type CreateContainerRequest = Message<'runtime.v1.CreateContainerRequest'> & {
  podSandboxId: string;
  config?: ContainerConfig;
  sandboxConfig?: PodSandboxConfig;
};

export type CreateContainerResponse = Message<'runtime.v1.CreateContainerResponse'> & {
  containerId: string;
};

export type StartContainerRequest = Message<'runtime.v1.StartContainerRequest'> & {
  containerId: string;
};

export type StartContainerResponse = Message<'runtime.v1.StartContainerResponse'> & {};

export type StopContainerRequest = Message<'runtime.v1.StopContainerRequest'> & {
  containerId: string;
  timeout: bigint;
};

export type StopContainerResponse = Message<'runtime.v1.StopContainerResponse'> & {};

export type RemoveContainerRequest = Message<'runtime.v1.RemoveContainerRequest'> & {
  containerId: string;
};

export type RemoveContainerResponse = Message<'runtime.v1.RemoveContainerResponse'> & {};

export type ContainerStateValue = Message<'runtime.v1.ContainerStateValue'> & { state: number };

export type ContainerFilter = Message<'runtime.v1.ContainerFilter'> & {
  id: string;
  state?: ContainerStateValue;
  podSandboxId: string;
  labelSelector: { [key: string]: string };
};

export type ListContainersRequest = Message<'runtime.v1.ListContainersRequest'> & {
  filter?: ContainerFilter;
};

export type Container = Message<'runtime.v1.Container'> & {
  id: string;
  podSandboxId: string;
  metadata?: ContainerMetadata;
  image?: ImageSpec;
  imageRef: string;
  state: number;
  createdAt: bigint;
  labels: { [key: string]: string };
  annotations: { [key: string]: string };
  imageId: string;
};

export type ListContainersResponse = Message<'runtime.v1.ListContainersResponse'> & {
  containers: Container[];
};

export type StreamContainersRequest = Message<'runtime.v1.StreamContainersRequest'> & {
  filter?: ContainerFilter;
};

export type StreamContainersResponse = Message<'runtime.v1.StreamContainersResponse'> & {
  containers: Container[];
};

export type ContainerStatusRequest = Message<'runtime.v1.ContainerStatusRequest'> & {
  containerId: string;
  verbose: boolean;
};

export type ContainerStatus = Message<'runtime.v1.ContainerStatus'> & {
  id: string;
  metadata?: ContainerMetadata;
  state: number;
  createdAt: bigint;
  startedAt: bigint;
  finishedAt: bigint;
  exitCode: number;
  image?: ImageSpec;
  imageRef: string;
  reason: string;
  message: string;
  labels: { [key: string]: string };
  annotations: { [key: string]: string };
  mounts: Mount[];
  logPath: string;
  resources?: ContainerResources;
  imageId: string;
  user?: ContainerUser;
  stopSignal: number;
};

export type ContainerStatusResponse = Message<'runtime.v1.ContainerStatusResponse'> & {
  status?: ContainerStatus;
  info: { [key: string]: string };
};

export type ContainerResources = Message<'runtime.v1.ContainerResources'> & {
  linux?: LinuxContainerResources;
};

export type ContainerUser = Message<'runtime.v1.ContainerUser'> & { linux?: LinuxContainerUser };

export type UpdateContainerResourcesRequest =
  Message<'runtime.v1.UpdateContainerResourcesRequest'> & {
    containerId: string;
    linux?: LinuxContainerResources;
    annotations: { [key: string]: string };
  };

export type UpdateContainerResourcesResponse =
  Message<'runtime.v1.UpdateContainerResourcesResponse'> & {};

export type ExecSyncRequest = Message<'runtime.v1.ExecSyncRequest'> & {
  containerId: string;
  cmd: string[];
  timeout: bigint;
};

export type ExecSyncResponse = Message<'runtime.v1.ExecSyncResponse'> & {
  stdout: Uint8Array;
  stderr: Uint8Array;
  exitCode: number;
};

export type ExecRequest = Message<'runtime.v1.ExecRequest'> & {
  containerId: string;
  cmd: string[];
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
};

export type ExecResponse = Message<'runtime.v1.ExecResponse'> & { url: string };

export type AttachRequest = Message<'runtime.v1.AttachRequest'> & {
  containerId: string;
  stdin: boolean;
  tty: boolean;
  stdout: boolean;
  stderr: boolean;
};

export type AttachResponse = Message<'runtime.v1.AttachResponse'> & { url: string };

export type PortForwardRequest = Message<'runtime.v1.PortForwardRequest'> & {
  podSandboxId: string;
  port: number[];
};

export type PortForwardResponse = Message<'runtime.v1.PortForwardResponse'> & { url: string };

export type ImageFilter = Message<'runtime.v1.ImageFilter'> & { image?: ImageSpec };

export type ListImagesRequest = Message<'runtime.v1.ListImagesRequest'> & { filter?: ImageFilter };

export type Image = Message<'runtime.v1.Image'> & {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: bigint;
  uid?: Int64Value;
  username: string;
  spec?: ImageSpec;
  pinned: boolean;
};

export type ListImagesResponse = Message<'runtime.v1.ListImagesResponse'> & { images: Image[] };

export type StreamImagesRequest = Message<'runtime.v1.StreamImagesRequest'> & {
  filter?: ImageFilter;
};

export type StreamImagesResponse = Message<'runtime.v1.StreamImagesResponse'> & { images: Image[] };

export type ImageStatusRequest = Message<'runtime.v1.ImageStatusRequest'> & {
  image?: ImageSpec;
  verbose: boolean;
};

export type ImageStatusResponse = Message<'runtime.v1.ImageStatusResponse'> & {
  image?: Image;
  info: { [key: string]: string };
};

export type AuthConfig = Message<'runtime.v1.AuthConfig'> & {
  username: string;
  password: string;
  auth: string;
  serverAddress: string;
  identityToken: string;
  registryToken: string;
};

export type PullImageRequest = Message<'runtime.v1.PullImageRequest'> & {
  image?: ImageSpec;
  auth?: AuthConfig;
  sandboxConfig?: PodSandboxConfig;
};

export type PullImageResponse = Message<'runtime.v1.PullImageResponse'> & { imageRef: string };

export type RemoveImageRequest = Message<'runtime.v1.RemoveImageRequest'> & { image?: ImageSpec };

export type RemoveImageResponse = Message<'runtime.v1.RemoveImageResponse'> & {};

export type NetworkConfig = Message<'runtime.v1.NetworkConfig'> & { podCidr: string };

export type RuntimeConfig = Message<'runtime.v1.RuntimeConfig'> & { networkConfig?: NetworkConfig };

export type UpdateRuntimeConfigRequest = Message<'runtime.v1.UpdateRuntimeConfigRequest'> & {
  runtimeConfig?: RuntimeConfig;
};

export type UpdateRuntimeConfigResponse = Message<'runtime.v1.UpdateRuntimeConfigResponse'> & {};

export type RuntimeCondition = Message<'runtime.v1.RuntimeCondition'> & {
  type: string;
  status: boolean;
  reason: string;
  message: string;
};

export type RuntimeStatus = Message<'runtime.v1.RuntimeStatus'> & {
  conditions: RuntimeCondition[];
};

export type StatusRequest = Message<'runtime.v1.StatusRequest'> & { verbose: boolean };

export type RuntimeHandlerFeatures = Message<'runtime.v1.RuntimeHandlerFeatures'> & {
  recursiveReadOnlyMounts: boolean;
  userNamespaces: boolean;
};

export type RuntimeHandler = Message<'runtime.v1.RuntimeHandler'> & {
  name: string;
  features?: RuntimeHandlerFeatures;
};

export type RuntimeFeatures = Message<'runtime.v1.RuntimeFeatures'> & {
  supplementalGroupsPolicy: boolean;
  userNamespacesHostNetwork: boolean;
};

export type StatusResponse = Message<'runtime.v1.StatusResponse'> & {
  status?: RuntimeStatus;
  info: { [key: string]: string };
  runtimeHandlers: RuntimeHandler[];
  features?: RuntimeFeatures;
};

export type ImageFsInfoRequest = Message<'runtime.v1.ImageFsInfoRequest'> & {};

export type UInt64Value = Message<'runtime.v1.UInt64Value'> & { value: bigint };

export type FilesystemIdentifier = Message<'runtime.v1.FilesystemIdentifier'> & {
  mountpoint: string;
};

export type FilesystemUsage = Message<'runtime.v1.FilesystemUsage'> & {
  timestamp: bigint;
  fsId?: FilesystemIdentifier;
  usedBytes?: UInt64Value;
  inodesUsed?: UInt64Value;
};

export type ImageFsInfoResponse = Message<'runtime.v1.ImageFsInfoResponse'> & {
  imageFilesystems: FilesystemUsage[];
  containerFilesystems: FilesystemUsage[];
};

export type ContainerStatsRequest = Message<'runtime.v1.ContainerStatsRequest'> & {
  containerId: string;
};

export type ContainerStatsResponse = Message<'runtime.v1.ContainerStatsResponse'> & {
  stats?: ContainerStats;
};

export type ListContainerStatsRequest = Message<'runtime.v1.ListContainerStatsRequest'> & {
  filter?: ContainerStatsFilter;
};

export type ContainerStatsFilter = Message<'runtime.v1.ContainerStatsFilter'> & {
  id: string;
  podSandboxId: string;
  labelSelector: { [key: string]: string };
};

export type ListContainerStatsResponse = Message<'runtime.v1.ListContainerStatsResponse'> & {
  stats: ContainerStats[];
};

export type StreamContainerStatsRequest = Message<'runtime.v1.StreamContainerStatsRequest'> & {
  filter?: ContainerStatsFilter;
};

export type StreamContainerStatsResponse = Message<'runtime.v1.StreamContainerStatsResponse'> & {
  containerStats: ContainerStats[];
};

export type ContainerAttributes = Message<'runtime.v1.ContainerAttributes'> & {
  id: string;
  metadata?: ContainerMetadata;
  labels: { [key: string]: string };
  annotations: { [key: string]: string };
};

export type ContainerStats = Message<'runtime.v1.ContainerStats'> & {
  attributes?: ContainerAttributes;
  cpu?: CpuUsage;
  memory?: MemoryUsage;
  writableLayer?: FilesystemUsage;
  swap?: SwapUsage;
  io?: IoUsage;
};

export type PsiStats = Message<'runtime.v1.PsiStats'> & { Full?: PsiData; Some?: PsiData };

export type PsiData = Message<'runtime.v1.PsiData'> & {
  Total: bigint;
  Avg10: number;
  Avg60: number;
  Avg300: number;
};

export type CpuUsage = Message<'runtime.v1.CpuUsage'> & {
  timestamp: bigint;
  usageCoreNanoSeconds?: UInt64Value;
  usageNanoCores?: UInt64Value;
  psi?: PsiStats;
};

export type MemoryUsage = Message<'runtime.v1.MemoryUsage'> & {
  timestamp: bigint;
  workingSetBytes?: UInt64Value;
  availableBytes?: UInt64Value;
  usageBytes?: UInt64Value;
  rssBytes?: UInt64Value;
  pageFaults?: UInt64Value;
  majorPageFaults?: UInt64Value;
  psi?: PsiStats;
};

export type IoUsage = Message<'runtime.v1.IoUsage'> & { timestamp: bigint; psi?: PsiStats };

export type SwapUsage = Message<'runtime.v1.SwapUsage'> & {
  timestamp: bigint;
  swapAvailableBytes?: UInt64Value;
  swapUsageBytes?: UInt64Value;
};

export type ReopenContainerLogRequest = Message<'runtime.v1.ReopenContainerLogRequest'> & {
  containerId: string;
};

export type ReopenContainerLogResponse = Message<'runtime.v1.ReopenContainerLogResponse'> & {};

export type CheckpointContainerRequest = Message<'runtime.v1.CheckpointContainerRequest'> & {
  containerId: string;
  location: string;
  timeout: bigint;
};

export type CheckpointContainerResponse = Message<'runtime.v1.CheckpointContainerResponse'> & {};

export type GetEventsRequest = Message<'runtime.v1.GetEventsRequest'> & {};

export type ContainerEventResponse = Message<'runtime.v1.ContainerEventResponse'> & {
  containerId: string;
  containerEventType: number;
  createdAt: bigint;
  podSandboxStatus?: PodSandboxStatus;
  containersStatuses: ContainerStatus[];
};

export type ListMetricDescriptorsRequest = Message<'runtime.v1.ListMetricDescriptorsRequest'> & {};

export type ListMetricDescriptorsResponse = Message<'runtime.v1.ListMetricDescriptorsResponse'> & {
  descriptors: MetricDescriptor[];
};

export type MetricDescriptor = Message<'runtime.v1.MetricDescriptor'> & {
  name: string;
  help: string;
  labelKeys: string[];
};

export type ListPodSandboxMetricsRequest = Message<'runtime.v1.ListPodSandboxMetricsRequest'> & {};

export type ListPodSandboxMetricsResponse = Message<'runtime.v1.ListPodSandboxMetricsResponse'> & {
  podMetrics: PodSandboxMetrics[];
};

export type StreamPodSandboxMetricsRequest =
  Message<'runtime.v1.StreamPodSandboxMetricsRequest'> & {};

export type StreamPodSandboxMetricsResponse =
  Message<'runtime.v1.StreamPodSandboxMetricsResponse'> & {
    podSandboxMetrics: PodSandboxMetrics[];
  };

export type PodSandboxMetrics = Message<'runtime.v1.PodSandboxMetrics'> & {
  podSandboxId: string;
  metrics: Metric[];
  containerMetrics: ContainerMetrics[];
};

export type ContainerMetrics = Message<'runtime.v1.ContainerMetrics'> & {
  containerId: string;
  metrics: Metric[];
};

export type Metric = Message<'runtime.v1.Metric'> & {
  name: string;
  timestamp: bigint;
  metricType: number;
  labelValues: string[];
  value?: UInt64Value;
};

export type RuntimeConfigRequest = Message<'runtime.v1.RuntimeConfigRequest'> & {};

export type RuntimeConfigResponse = Message<'runtime.v1.RuntimeConfigResponse'> & {
  linux?: LinuxRuntimeConfiguration;
};

export type LinuxRuntimeConfiguration = Message<'runtime.v1.LinuxRuntimeConfiguration'> & {
  cgroupDriver: number;
};

export type UpdatePodSandboxResourcesRequest =
  Message<'runtime.v1.UpdatePodSandboxResourcesRequest'> & {
    podSandboxId: string;
    overhead?: LinuxContainerResources;
    resources?: LinuxContainerResources;
  };

export type UpdatePodSandboxResourcesResponse =
  Message<'runtime.v1.UpdatePodSandboxResourcesResponse'> & {};
