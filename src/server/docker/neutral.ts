/**
 * Options of Docker's that boxes do not have. Each may be given with the value that asks for nothing, as clients do;
 * any other value is refused by name, never stored and ignored.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

type Test = (value: unknown) => boolean;

const empty: Test = (value) =>
  value === '' ||
  value === 0 ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === 'object' && value !== null && Object.keys(value).length === 0);

function either(...values: readonly unknown[]): Test {
  return (value) => empty(value) || values.includes(value);
}

function fields(tests: Readonly<Record<string, Test>>): Test {
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(([key, field]) => field === null || (tests[key] ?? never)(field));
}

const never: Test = () => false;

export const NEUTRAL_CONFIG: Readonly<Record<string, Test>> = {
  ArgsEscaped: empty,
  Domainname: empty,
  MacAddress: empty,
  NetworkDisabled: empty,
  OnBuild: empty,
  Shell: empty,
  Volumes: empty,
};

export const NEUTRAL_HOST_CONFIG: Readonly<Record<string, Test>> = {
  Annotations: empty,
  BlkioWeight: empty,
  BlkioWeightDevice: empty,
  CapAdd: empty,
  CapDrop: empty,
  Capabilities: empty,
  Cgroup: empty,
  CgroupParent: empty,
  CgroupnsMode: either('private'),
  ContainerIDFile: empty,
  CpuCount: empty,
  CpuPercent: empty,
  CpuRealtimePeriod: empty,
  CpuRealtimeRuntime: empty,
  CpusetMems: empty,
  DeviceCgroupRules: empty,
  DeviceRequests: empty,
  Devices: empty,
  Dns: empty,
  DnsOptions: empty,
  DnsSearch: empty,
  ExtraHosts: empty,
  GroupAdd: empty,
  IOMaximumBandwidth: empty,
  IOMaximumIOps: empty,
  IpcMode: either('private'),
  Isolation: either('default'),
  KernelMemory: empty,
  KernelMemoryTCP: empty,
  Links: empty,
  // Docker's own defaults; they hold here.
  MaskedPaths: never,
  ReadonlyPaths: never,
  MemorySwappiness: either(-1),
  Mounts: empty,
  OomKillDisable: empty,
  OomScoreAdj: empty,
  PidMode: empty,
  Privileged: empty,
  PublishAllPorts: empty,
  ReadonlyRootfs: empty,
  Runtime: empty,
  SecurityOpt: empty,
  ShmSize: either(64 * 1024 * 1024),
  StorageOpt: empty,
  Sysctls: empty,
  Tmpfs: empty,
  UTSMode: empty,
  UsernsMode: empty,
  VolumeDriver: empty,
  VolumesFrom: empty,
};

const ENDPOINT = fields({
  IPAMConfig: empty,
  Links: empty,
  Aliases: empty,
  MacAddress: empty,
  NetworkID: empty,
  EndpointID: empty,
  Gateway: empty,
  IPAddress: empty,
  IPPrefixLen: empty,
  IPv6Gateway: empty,
  GlobalIPv6Address: empty,
  GlobalIPv6PrefixLen: empty,
  DriverOpts: empty,
  DNSNames: empty,
});

export const NEUTRAL_NETWORKING: Readonly<Record<string, Test>> = {
  EndpointsConfig: (value) =>
    empty(value) || fields({ default: ENDPOINT, bridge: ENDPOINT, none: ENDPOINT })(value),
};

export const NEUTRAL_EXEC: Readonly<Record<string, Test>> = {
  Privileged: empty,
  Container: empty,
};

/**
 * The options that are implemented; what is left must ask for nothing.
 *
 * @param where prefix of names in messages, such as `HostConfig.`
 * @throws A3sError `unsupported-option` with the name
 */
export function withoutNeutral(
  where: string,
  value: unknown,
  implemented: readonly string[],
  neutral: Readonly<Record<string, Test>>,
): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new A3sError(
      'invalid-argument',
      `Invalid request: ${where || 'the body'} must be an object`,
    );
  }
  const kept: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(value)) {
    // Absent, and null, ask for nothing anywhere.
    if (option === null || option === undefined) continue;
    if (implemented.includes(key)) kept[key] = option;
    else if (!(Object.hasOwn(neutral, key) && (neutral[key] ?? never)(option))) {
      throw unsupported(`${where}${key.slice(0, 64)}`);
    }
  }
  return kept;
}

/** The refusal of an option that boxes do not have. */
export function unsupported(name: string, detail = ''): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot create the box: ${name} is not supported${detail === '' ? '' : `: ${detail}`}`,
    { remedy: 'Leave the option out.' },
  );
}
