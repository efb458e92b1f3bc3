export {
  KNOWN_VULNERABLE_SCHEMA,
  parseKnownVulnerable,
} from './known-vulnerable/parse-known-vulnerable.ts';
export {
  BOX_SPEC_SCHEMA,
  BoxSpec,
  Confinement,
  ProcessSpec,
  Resources,
  SeccompAction,
  SeccompProfile,
  ULIMITS,
} from './launch-spec/box-spec.ts';
export {
  BrokerEndpoint,
  brokerResource,
  DEFAULT_BROKER_TENANT,
} from './launch-spec/broker.ts';
export { type CanonicalValue, canonicalJson } from './launch-spec/canonical-json.ts';
export {
  CONTAINER_REQUEST_SCHEMA,
  type ContainerDecision,
  ContainerRequest,
  decideContainer,
} from './launch-spec/container-request.ts';
export {
  HOST_PERMISSIONS,
  type HostPermission,
  LAUNCH_SPEC_SCHEMA,
  LaunchSpec,
  launchSpecText,
  MAX_HOST_NETWORKS,
  MAX_LAUNCH_SPEC,
  SEALING,
  type Sealing,
} from './launch-spec/launch-spec.ts';
export {
  LaunchSpecError,
  parseAnyLaunchSpec,
  parseLaunchSpec,
  parsePodLaunchSpec,
} from './launch-spec/parse-launch-spec.ts';
export {
  LaunchedContainer,
  POD_LAUNCH_SPEC_SCHEMA,
  PodLaunchSpec,
  podLaunchSpecText,
} from './launch-spec/pod-launch-spec.ts';
export {
  CONTAINER_SPEC_SCHEMA,
  ContainerSpec,
  Pids,
  POD_SPEC_SCHEMA,
  PodSpec,
} from './launch-spec/pod-spec.ts';
export {
  SealedVolume,
  SealedVolumeId,
  SealedVolumeName,
} from './launch-spec/sealed-volume.ts';
export { differingFields, type SpecDifference } from './launch-spec/spec-differences.ts';
export { TMPFS_FLAGS, Tmpfs } from './launch-spec/tmpfs.ts';
