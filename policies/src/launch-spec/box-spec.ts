/**
 * The box spec: the one document that a guest agent takes, once, before anything runs.
 *
 * It names the box's disks, process and confinement. It names nothing of the host: published ports,
 * host paths and display names stay with the host. The agent refuses unknown keys, so a field that
 * is not understood is never silently dropped.
 *
 * @module
 */
import * as z from 'zod';
import { absolutePath, text } from './absolute-path.ts';
import { Tmpfs } from './tmpfs.ts';

/** The value of `schema` in every document of this version. */
export const BOX_SPEC_SCHEMA = 'a3s-box/box-spec/v1';

/** Virtio-blk serial by which the agent finds a disk: virtio allows 20 bytes. */
const diskSerial = z.string().regex(/^[a-z0-9][a-z0-9-]{0,19}$/);

/** A capability by its kernel name, such as `CAP_CHOWN`. */
const capability = z.string().regex(/^CAP_[A-Z_]{1,40}$/);

const environmentEntry = text.refine((entry) => entry.indexOf('=') > 0, {
  error: 'must be NAME=value',
});

/** A process of the box: the main one, or one started by exec. */
export const ProcessSpec = z.strictObject({
  /** The program and its arguments; the program is looked up in the box's `PATH`. */
  args: z.array(text).min(1).max(65_536),
  /** `NAME=value` entries, in order; the last of a repeated name wins. */
  env: z.array(environmentEntry).max(65_536),
  /** Working directory inside the box; created for the main process when the image lacks it. */
  cwd: absolutePath,
  /** `user[:group]`, each a name or a number, resolved inside the box; empty means root. */
  user: text.max(256),
  /** Runs under a pseudo-terminal: one output stream, signals from control characters. */
  terminal: z.boolean(),
  /** First size of the terminal in character cells. */
  size: z
    .strictObject({
      rows: z.int().min(1).max(65_535),
      columns: z.int().min(1).max(65_535),
    })
    .optional(),
  /** Whether the process reads from its client; otherwise its input is `/dev/null`. */
  stdin: z.boolean(),
});
export type ProcessSpec = z.infer<typeof ProcessSpec>;

/** A path below a directory that the field says, in its one spelling. */
const relativePath = text
  .max(256)
  .refine((path) => path.split('/').every((part) => !['', '.', '..'].includes(part)), {
    error: 'must be a relative path without . and ..',
  });

/** What becomes of a system call. */
export const SeccompAction = z
  .strictObject({
    kind: z.enum(['allow', 'log', 'errno', 'trace', 'trap', 'kill-thread', 'kill-process']),
    /** The error number of `errno`, or what a tracer reads of `trace`; otherwise 0. */
    value: z.int().min(0).max(65_535),
  })
  .refine(({ kind, value }) => value === 0 || kind === 'errno' || kind === 'trace', {
    error: 'has a value that says nothing',
  });
export type SeccompAction = z.infer<typeof SeccompAction>;

/** 64 bits are more than a number of JSON has. */
const decimal = z
  .string()
  .refine((digits) => /^\d{1,20}$/.test(digits) && BigInt(digits) < 2n ** 64n, {
    error: 'must be a decimal number of at most 64 bits',
  });

/**
 * A profile of system calls. x86_64 is always in it; a call of an architecture that is not ends its
 * process.
 */
export const SeccompProfile = z.strictObject({
  default: SeccompAction,
  x86: z.boolean(),
  x32: z.boolean(),
  /** Has the guest's kernel log what is not allowed. */
  log: z.boolean(),
  /** Leaves out a mitigation of speculative execution. */
  specAllow: z.boolean(),
  rules: z
    .array(
      z.strictObject({
        /** Calls that the guest's kernel does not have are left out. */
        names: z.array(text.max(64)).max(4096),
        action: SeccompAction,
        /** All of them have to hold. A rule without any goes before all others of its calls. */
        conditions: z
          .array(
            z.strictObject({
              index: z.int().min(0).max(5),
              op: z.enum(['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'masked-eq']),
              value: decimal,
              /** What `masked-eq` compares with, its `value` being the mask; otherwise unused. */
              valueTwo: decimal,
            }),
          )
          .max(6),
      }),
    )
    .max(4096),
});
export type SeccompProfile = z.infer<typeof SeccompProfile>;

const deviceNumber = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** The confinement of every process of the box: main, exec and terminals alike. */
export const Confinement = z.strictObject({
  /** Bounding, permitted and effective set of root; a user other than root starts with none. */
  capabilities: z.array(capability).max(64),
  /** `PR_SET_NO_NEW_PRIVS`: set-user-ID programs and file capabilities gain nothing. */
  noNewPrivileges: z.boolean(),
  /** `default` is the profile that Docker ships, `profile` that of `seccompProfile`. */
  seccomp: z.enum(['default', 'unconfined', 'profile']),
  /** Paths that read as empty. */
  maskedPaths: z.array(absolutePath).max(256),
  /** Paths that cannot be written. */
  readonlyPaths: z.array(absolutePath).max(256),
  seccompProfile: SeccompProfile.optional(),
  /** Supplementary groups of every process, names or numbers, resolved inside the box. */
  groups: z.array(text.max(256)).max(256).optional(),
  /**
   * Which groups a user has by the box's `/etc/group`: `merge` all that list it, `strict` none but
   * its primary one. Absent is as in Docker: all that list it, unless a group is named beside it.
   */
  groupsPolicy: z.enum(['merge', 'strict']).optional(),
  /** How readily the guest's kernel ends a process of the box for lack of memory; absent is 0. */
  oomScoreAdj: z.int().min(-1000).max(1000).optional(),
  /** Devices of the guest that the box may open, by their paths below `/dev`. */
  devices: z.array(relativePath).max(64).optional(),
  /**
   * Devices that the box may open besides the usual ones, by nodes that it makes in its `/dev`;
   * absent numbers are any.
   */
  deviceRules: z
    .array(
      z.strictObject({
        kind: z.enum(['all', 'char', 'block']),
        major: deviceNumber.optional(),
        minor: deviceNumber.optional(),
        /** Reading, writing and making nodes. */
        access: z.string().regex(/^[rwm]{1,3}$/),
      }),
    )
    .max(256)
    .optional(),
  /**
   * Gives the box all devices of its guest, and lets it write to `/sys` and its control groups.
   * Nothing protects the agent from such a box. Absent is false.
   */
  privileged: z.boolean().optional(),
});
export type Confinement = z.infer<typeof Confinement>;

/** The resources of `setrlimit`, as Docker names them. */
export const ULIMITS = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
] as const;

/** `setrlimit` of one resource; -1 is unlimited. */
const Ulimit = z
  .strictObject({
    /** As Docker names it: the resource without `RLIMIT_`, in lower case. */
    name: z.enum(ULIMITS),
    soft: z.int().min(-1),
    hard: z.int().min(-1),
  })
  .refine(({ soft, hard }) => hard === -1 || (soft !== -1 && soft <= hard), {
    error: 'the soft limit must not be above the hard limit',
  });

/** Limits that the guest's control groups hold the box to; absent means unlimited. */
export const Resources = z.strictObject({
  /** Memory of all processes of the box, in bytes. */
  memoryBytes: z.int().min(1).optional(),
  /** CPU time in thousandths of one CPU: 1500 is one and a half. */
  cpuMillis: z.int().min(1).optional(),
  /** Number of processes and threads. */
  pids: z.int().min(1).optional(),
  /** Memory that is reclaimed last when the guest runs short: bytes of `memory.low`. */
  memoryReservationBytes: z.int().min(1).optional(),
  /**
   * Weight among the guest's control groups, from 1 to 10000 as `cpu.weight` counts; absent is 100.
   */
  cpuWeight: z.int().min(1).max(10_000).optional(),
  /**
   * `setrlimit` of every process of the box, main and exec alike; each resource once. Absent means
   * the agent's own defaults.
   */
  ulimits: z
    .array(Ulimit)
    .max(ULIMITS.length)
    .refine((limits) => new Set(limits.map(({ name }) => name)).size === limits.length, {
      error: 'must have each resource once',
    })
    .optional(),
});
export type Resources = z.infer<typeof Resources>;

/** Read-only EROFS disks, lowest layer first. */
const layers = z
  .array(z.strictObject({ serial: diskSerial }))
  .min(1)
  .max(128);

const Rootfs = z.strictObject({
  layers,
  /** Where changes go: an ext4 disk that outlives the VM, or guest memory. */
  changes: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('disk'), serial: diskSerial }),
    z.strictObject({ kind: z.literal('memory') }),
  ]),
  /** Mounts the root read-only for the workload. */
  readonly: z.boolean(),
});

const Share = z.strictObject({
  kind: z.literal('virtiofs'),
  /** Tag of the virtio-fs device. */
  tag: z.string().regex(/^[a-z0-9][a-z0-9-]{0,35}$/),
  /** The part of the shared directory that is mounted: the name of a file, or of a directory. */
  file: text.max(255).optional(),
  destination: absolutePath,
  readonly: z.boolean(),
  /**
   * A volume that is new: before anything of the box runs, the agent empties it and copies into it
   * what the image has at the destination. Absent is false.
   */
  fill: z.boolean().optional(),
});

const VolumeDisk = z.strictObject({
  kind: z.literal('disk'),
  /** Of an ext4 disk. Several mounts may have the same. */
  serial: diskSerial,
  /** The part that is mounted, a directory or a file. Absent: all that boxes have on the disk. */
  subpath: text.max(4096).optional(),
  destination: absolutePath,
  readonly: z.boolean(),
  /**
   * Before anything of the box runs, the agent copies what the image has at the destination to the
   * disk, unless boxes have files on it. Absent is false.
   */
  fill: z.boolean().optional(),
});

/** Another image, as it is. */
const MountedImage = z.strictObject({
  kind: z.literal('image'),
  layers,
  /** The part that is mounted, a directory or a file. Absent: all of the image. */
  subpath: text.max(4096).optional(),
  destination: absolutePath,
  readonly: z.literal(true),
});

const Mount = z.discriminatedUnion('kind', [Share, VolumeDisk, MountedImage]);

const ipv4 = z.ipv4();

export const Host = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9._-]{1,253}$/),
  address: z.union([ipv4, z.ipv6()]),
});

export const Nic = z.strictObject({
  kind: z.literal('nic'),
  /** MAC address by which the agent finds the device, lower case. */
  mac: z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
  mtu: z.int().min(576).max(65_535),
  address: ipv4,
  prefixLength: z.int().min(1).max(32),
  gateway: ipv4,
  /** Programs read the first three. */
  nameservers: z.array(ipv4).max(16),
  /** Domains for the resolver's `search` line. */
  search: z.array(z.string().regex(/^[A-Za-z0-9._-]{1,253}$/)).max(32),
  /** The resolver's `options` line, such as `ndots:0`. Absent is none. */
  options: z
    .array(z.string().regex(/^[A-Za-z0-9:._-]{1,64}$/))
    .max(32)
    .optional(),
});

/** No network device but the loopback. */
export const Loopback = z.strictObject({ kind: z.literal('none') });

const Network = z.discriminatedUnion('kind', [Loopback, Nic]);

export const BoxSpec = z.strictObject({
  schema: z.literal(BOX_SPEC_SCHEMA),
  hostname: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,62})$/),
  rootfs: Rootfs,
  process: ProcessSpec,
  mounts: z.array(Mount).max(64),
  network: Network,
  /** More lines of `/etc/hosts`, before that of the box itself. Absent is none. */
  hosts: z.array(Host).max(256).optional(),
  confinement: Confinement,
  resources: Resources,
  /**
   * Runs an init of the agent's as process 1 of the box, with the main process as its child. Absent
   * is false.
   */
  init: z.boolean().optional(),
  /** Directories that are made where the image lacks them: of its volumes. Absent is none. */
  directories: z.array(absolutePath).max(256).optional(),
  /** Mounted among the shares, by the depth of their destinations. Absent is none. */
  tmpfs: z.array(Tmpfs).max(64).optional(),
  /** The size of `/dev/shm`, in bytes. Absent is 64 MiB; with 0 there is no `/dev/shm`. */
  shmBytes: z.int().min(0).optional(),
  /** The NIS domain of the box, which `/etc/hosts` has behind its host name. */
  domainname: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/)
    .optional(),
  /**
   * Settings of the guest's kernel that the box's namespaces have for themselves, by their paths
   * below `/proc/sys`.
   */
  sysctls: z
    .array(z.strictObject({ path: relativePath, value: text.max(4096) }))
    .max(256)
    .optional(),
  /**
   * Certificates of authorities, each in PEM as OpenSSL writes it, that programs of the box trust
   * besides those of its image. Absent is none.
   */
  authorities: z
    .array(
      z
        .string()
        .max(16_384)
        .regex(/^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n$/),
    )
    .max(16)
    .optional(),
});
/** A validated box spec. */
export type BoxSpec = z.infer<typeof BoxSpec>;
