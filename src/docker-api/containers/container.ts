/**
 * The documents of boxes, as Docker has them and with what it has no word for.
 *
 * @module
 */
import { ULIMITS } from '@a3s-box/policies';
import * as z from 'zod';
import { TrustDecision } from '../../trust/decision.ts';
import { ConfidentialShown, ConfidentialSummary } from '../a3s/confidential-box.ts';
import { EgressSecretShown, EgressShown } from '../a3s/egress.ts';
import type { Document } from '../document.ts';

/** Docker's words; a box that starts or ends is still what it was. */
export const DOCKER_STATUSES = [
  'created',
  'running',
  'paused',
  'restarting',
  'exited',
  'removing',
] as const;

const nothing = z.strictObject({});
const strings = z.array(z.string());
const labels = z.record(z.string(), z.string());

const Address = z.strictObject({
  Gateway: z.string(),
  IPAddress: z.string(),
  IPPrefixLen: z.int(),
});

const Endpoint = Address.extend({
  NetworkID: z.string(),
  EndpointID: z.string(),
  Aliases: z.array(z.string()).nullable(),
  /** The addresses that were asked for; in the default network, link-local ones alone. */
  IPAMConfig: z
    .strictObject({
      IPv4Address: z.string().optional(),
      IPv6Address: z.string().optional(),
      LinkLocalIPs: z.array(z.string()).optional(),
    })
    .nullable(),
  /** As they were asked for, in a user-defined network. */
  Links: z.array(z.string()).nullable(),
  MacAddress: z.string(),
  /** As they were asked for. */
  DriverOpts: z.record(z.string(), z.string()).nullable(),
  /** As it was asked for; left out where it was not. */
  GwPriority: z.int().optional(),
  /** Empty in a network without IPv6. */
  IPv6Gateway: z.string(),
  GlobalIPv6Address: z.string(),
  GlobalIPv6PrefixLen: z.int(),
  /** The names by which boxes of a user-defined network find the box. */
  DNSNames: z.array(z.string()).nullable(),
});

const mounted = {
  Source: z.string(),
  Destination: z.string(),
  Mode: z.string(),
  RW: z.boolean(),
  Propagation: z.string(),
};
const Mount = z.discriminatedUnion('Type', [
  z.strictObject({ Type: z.literal('bind'), ...mounted }),
  z.strictObject({
    Type: z.literal('volume'),
    Name: z.string(),
    Driver: z.literal('local'),
    ...mounted,
  }),
  z.strictObject({ Type: z.enum(['tmpfs', 'image']), ...mounted }),
]);

const MountAsked = z.strictObject({
  Type: z.enum(['bind', 'volume', 'tmpfs', 'image']),
  Source: z.string().optional(),
  Target: z.string(),
  ReadOnly: z.literal(true).optional(),
  BindOptions: z
    .strictObject({
      CreateMountpoint: z.literal(true).optional(),
      NonRecursive: z.literal(true).optional(),
      ReadOnlyNonRecursive: z.literal(true).optional(),
    })
    .optional(),
  VolumeOptions: z
    .strictObject({ NoCopy: z.literal(true).optional(), Subpath: z.string().optional() })
    .optional(),
  ImageOptions: z.strictObject({ Subpath: z.string() }).optional(),
  TmpfsOptions: z
    .strictObject({
      SizeBytes: z.int().optional(),
      Mode: z.int().optional(),
      Options: z.array(strings).optional(),
    })
    .optional(),
});

const Bindings = z.record(
  z.string(),
  z.array(z.strictObject({ HostIp: z.string(), HostPort: z.string() })),
);

const Rates = z.array(z.strictObject({ Path: z.string(), Rate: z.int() })).nullable();

export const LimitsShown = z.strictObject({
  CpuShares: z.int(),
  Memory: z.int(),
  NanoCpus: z.int(),
  CgroupParent: z.literal(''),
  BlkioWeight: z.literal(0),
  BlkioWeightDevice: z.null(),
  BlkioDeviceReadBps: Rates,
  BlkioDeviceWriteBps: Rates,
  BlkioDeviceReadIOps: Rates,
  BlkioDeviceWriteIOps: Rates,
  CpuPeriod: z.int(),
  CpuQuota: z.int(),
  CpuRealtimePeriod: z.literal(0),
  CpuRealtimeRuntime: z.literal(0),
  CpusetCpus: z.string(),
  CpusetMems: z.literal(''),
  Devices: z
    .array(
      z.strictObject({
        PathOnHost: z.string(),
        PathInContainer: z.string(),
        CgroupPermissions: z.string(),
      }),
    )
    .nullable(),
  DeviceCgroupRules: z.array(z.string()).nullable(),
  DeviceRequests: z.null(),
  MemoryReservation: z.int(),
  MemorySwap: z.int(),
  MemorySwappiness: z.null(),
  OomKillDisable: z.literal(false),
  PidsLimit: z.int().nullable(),
  Ulimits: z
    .array(z.strictObject({ Name: z.enum(ULIMITS), Soft: z.int(), Hard: z.int() }))
    .nullable(),
  CpuCount: z.literal(0),
  CpuPercent: z.literal(0),
  IOMaximumIOps: z.literal(0),
  IOMaximumBandwidth: z.literal(0),
});
export type LimitsShown = Document<typeof LimitsShown>;

/** Every field of Docker's: what boxes do not have is what asks for nothing. */
export const HostConfigShown = LimitsShown.extend({
  Binds: strings.nullable(),
  ContainerIDFile: z.string(),
  LogConfig: z.strictObject({ Type: z.enum(['json-file', 'local', 'none']), Config: labels }),
  /** A user-defined network is shown as it was named. */
  NetworkMode: z.string(),
  PortBindings: Bindings,
  RestartPolicy: z.strictObject({
    Name: z.enum(['no', 'on-failure', 'always', 'unless-stopped']),
    MaximumRetryCount: z.int(),
  }),
  AutoRemove: z.boolean(),
  VolumeDriver: z.string(),
  VolumesFrom: strings.nullable(),
  /** In the long form; left out where there are none. */
  Mounts: z.array(MountAsked).optional(),
  /** By path; left out where there are none. */
  Tmpfs: z.record(z.string(), z.string()).optional(),
  /** Left out where nobody asked for a size of the writable layer. */
  StorageOpt: z.record(z.string(), z.string()).optional(),
  ConsoleSize: z.tuple([z.int(), z.int()]),
  CapAdd: strings.nullable(),
  CapDrop: strings.nullable(),
  CgroupnsMode: z.literal('private'),
  Dns: strings.nullable(),
  DnsOptions: strings.nullable(),
  DnsSearch: strings.nullable(),
  ExtraHosts: strings.nullable(),
  GroupAdd: strings.nullable(),
  IpcMode: z.enum(['private', 'shareable', 'none']),
  Cgroup: z.literal(''),
  Links: strings.nullable(),
  OomScoreAdj: z.int(),
  PidMode: z.literal(''),
  Privileged: z.boolean(),
  PublishAllPorts: z.boolean(),
  ReadonlyRootfs: z.boolean(),
  SecurityOpt: strings.nullable(),
  UTSMode: z.literal(''),
  UsernsMode: z.enum(['', 'private']),
  ShmSize: z.int(),
  Runtime: z.enum(['a3s-box', 'runc']),
  Isolation: z.enum(['', 'default']),
  Init: z.literal(true).optional(),
  MaskedPaths: strings.nullable(),
  ReadonlyPaths: strings.nullable(),
  Annotations: labels.optional(),
  Sysctls: labels.optional(),
});
export type HostConfigShown = Document<typeof HostConfigShown>;

export const ConfigShown = z.strictObject({
  Hostname: z.string(),
  Domainname: z.string(),
  User: z.string(),
  AttachStdin: z.boolean(),
  AttachStdout: z.boolean(),
  AttachStderr: z.boolean(),
  ExposedPorts: z.record(z.string(), nothing).optional(),
  Tty: z.boolean(),
  OpenStdin: z.boolean(),
  StdinOnce: z.boolean(),
  Env: strings,
  Cmd: strings,
  Image: z.string(),
  Volumes: z.record(z.string(), nothing).nullable(),
  WorkingDir: z.string(),
  Entrypoint: strings.nullable(),
  /** In its own network, where it was chosen. */
  MacAddress: z.string().optional(),
  OnBuild: strings.nullable(),
  /** These are left out where nobody asked for them. */
  Shell: strings.optional(),
  NetworkDisabled: z.literal(true).optional(),
  ArgsEscaped: z.literal(true).optional(),
  Labels: labels,
  StopSignal: z.string().optional(),
  StopTimeout: z.int().optional(),
  /** As it was asked for, here or by the image. */
  Healthcheck: z.record(z.string(), z.union([z.int(), strings])).optional(),
});
export type ConfigShown = Document<typeof ConfigShown>;

export const HealthShown = z.strictObject({
  Status: z.enum(['starting', 'healthy', 'unhealthy']),
  FailingStreak: z.int(),
  /** The last five, oldest first. */
  Log: z.array(
    z.strictObject({
      Start: z.string(),
      End: z.string(),
      ExitCode: z.int(),
      Output: z.string(),
    }),
  ),
});
export type HealthShown = Document<typeof HealthShown>;

export const StateShown = z.strictObject({
  Status: z.enum(DOCKER_STATUSES),
  Running: z.boolean(),
  Paused: z.boolean(),
  Restarting: z.boolean(),
  OOMKilled: z.boolean(),
  Dead: z.literal(false),
  Pid: z.int(),
  ExitCode: z.int(),
  Error: z.string(),
  StartedAt: z.string(),
  FinishedAt: z.string(),
  Health: HealthShown.optional(),
});
export type StateShown = Document<typeof StateShown>;

const sizes = {
  /** Bytes that the box's changes take on this host; with `size` alone. */
  SizeRw: z.int().optional(),
  SizeRootFs: z.int().optional(),
};

export const ContainerInspect = z.strictObject({
  Id: z.string(),
  Created: z.string(),
  Path: z.string(),
  Args: strings,
  State: StateShown,
  Image: z.string(),
  /** The last decision about the image; null for a box that is older than trust. */
  Trust: TrustDecision.nullable(),
  TrustAtCreate: TrustDecision.nullable(),
  /** How the VM of this run, or the last one, came to be. */
  Machine: z
    .strictObject({
      Start: z.enum(['cold', 'template', 'pool', 'snapshot']),
      Source: z.string(),
    })
    .nullable(),
  /** The engine that its VMs are of, and why. */
  Engine: z.strictObject({ Name: z.enum(['qemu', 'krun']), Reason: z.string() }),
  /** What confines the VMM, as the host's kernel says. Null where none runs. */
  Jail: z
    .strictObject({
      UserId: z.int(),
      /** Kinds of namespaces that are not the server's. */
      Namespaces: z.array(z.string()),
      Capabilities: z.boolean(),
      NoNewPrivileges: z.boolean(),
      /** The jail's, and those of the VMM's own. */
      SystemCallFilters: z.int(),
      /** Null: unlimited. */
      Limits: z.strictObject({
        OpenFiles: z.int().nullable(),
        Processes: z.int().nullable(),
        DataBytes: z.int().nullable(),
        FileBytes: z.int().nullable(),
      }),
    })
    .nullable(),
  /** Null for a plain box. */
  Confidential: ConfidentialShown.nullable(),
  /** Null where the box has no network policy of its own. */
  Egress: EgressShown.nullable(),
  /** Without their values. */
  EgressSecrets: z.array(EgressSecretShown),
  ResolvConfPath: z.literal(''),
  HostnamePath: z.literal(''),
  HostsPath: z.literal(''),
  LogPath: z.string(),
  Name: z.string(),
  RestartCount: z.int(),
  Driver: z.literal('erofs'),
  Platform: z.literal('linux'),
  MountLabel: z.literal(''),
  ProcessLabel: z.literal(''),
  AppArmorProfile: z.literal(''),
  ExecIDs: strings.nullable(),
  HostConfig: HostConfigShown,
  GraphDriver: z.strictObject({ Name: z.literal('erofs'), Data: nothing }),
  Mounts: z.array(Mount),
  Config: ConfigShown,
  NetworkSettings: Address.extend({
    Bridge: z.literal(''),
    SandboxID: z.literal(''),
    SandboxKey: z.literal(''),
    /** Null: the port is exposed and not published. */
    Ports: z.record(z.string(), Bindings.valueType.nullable()),
    /** In its own network, where it was chosen. */
    MacAddress: z.string(),
    Networks: z.record(z.string(), Endpoint),
  }),
  ...sizes,
});
export type ContainerInspect = Document<typeof ContainerInspect>;

export const ContainerSummary = z.strictObject({
  Id: z.string(),
  Names: strings,
  Image: z.string(),
  ImageID: z.string(),
  Command: z.string(),
  /** Seconds since 1970. */
  Created: z.int(),
  Ports: z.array(
    z.strictObject({
      IP: z.string().optional(),
      PrivatePort: z.int(),
      PublicPort: z.int().optional(),
      Type: z.string(),
      /** Of a service that the guest itself has there. */
      Name: z.literal('ratls').optional(),
    }),
  ),
  Labels: labels,
  State: z.enum(DOCKER_STATUSES),
  Status: z.string(),
  /** Verdict about the image; empty for a box that is older than trust. */
  Trust: z.string(),
  Confidential: ConfidentialSummary.nullable(),
  HostConfig: z.strictObject({ NetworkMode: z.string() }),
  NetworkSettings: z.strictObject({ Networks: z.record(z.string(), Endpoint) }),
  Mounts: z.array(Mount),
  ...sizes,
});
export type ContainerSummary = Document<typeof ContainerSummary>;
