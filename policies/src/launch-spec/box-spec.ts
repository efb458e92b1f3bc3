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
import { shmBytes, Tmpfs } from './tmpfs.ts';

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

/** The confinement of every process of the box: main, exec and terminals alike. */
export const Confinement = z.strictObject({
  /** Bounding, permitted and effective set of root; a user other than root starts with none. */
  capabilities: z.array(capability).max(64),
  /** `PR_SET_NO_NEW_PRIVS`: set-user-ID programs and file capabilities gain nothing. */
  noNewPrivileges: z.boolean(),
  /** `default` is the profile that Docker ships. */
  seccomp: z.enum(['default', 'unconfined']),
  /** Paths that read as empty. */
  maskedPaths: z.array(absolutePath).max(256),
  /** Paths that cannot be written. */
  readonlyPaths: z.array(absolutePath).max(256),
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
  /** Weight among the guest's control groups, from 1 to 10000 as `cpu.weight` counts; absent is 100. */
  cpuWeight: z.int().min(1).max(10_000).optional(),
  /** `setrlimit` of every process of the box, main and exec alike; each resource once. Absent means the agent's own defaults. */
  ulimits: z
    .array(Ulimit)
    .max(ULIMITS.length)
    .refine((limits) => new Set(limits.map(({ name }) => name)).size === limits.length, {
      error: 'must have each resource once',
    })
    .optional(),
});
export type Resources = z.infer<typeof Resources>;

const Rootfs = z.strictObject({
  /** Read-only EROFS disks, lowest layer first. */
  layers: z
    .array(z.strictObject({ serial: diskSerial }))
    .min(1)
    .max(128),
  /** Where changes go: an ext4 disk that outlives the VM, or guest memory. */
  changes: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('disk'), serial: diskSerial }),
    z.strictObject({ kind: z.literal('memory') }),
  ]),
  /** Mounts the root read-only for the workload. */
  readonly: z.boolean(),
});

const Mount = z.strictObject({
  kind: z.literal('virtiofs'),
  /** Tag of the virtio-fs device. */
  tag: z.string().regex(/^[a-z0-9][a-z0-9-]{0,35}$/),
  /** When the host path is one file: its name within the shared directory. */
  file: text.max(255).optional(),
  destination: absolutePath,
  readonly: z.boolean(),
  /**
   * A volume that is new: before anything of the box runs, the agent empties it and copies into it
   * what the image has at the destination. Absent is false.
   */
  fill: z.boolean().optional(),
});

const ipv4 = z.ipv4();

const Network = z.discriminatedUnion('kind', [
  /** Loopback only. */
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({
    kind: z.literal('nic'),
    /** MAC address by which the agent finds the device, lower case. */
    mac: z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
    mtu: z.int().min(576).max(65_535),
    address: ipv4,
    prefixLength: z.int().min(1).max(32),
    gateway: ipv4,
    nameservers: z.array(ipv4).max(3),
    /** Domains for the resolver's `search` line. */
    search: z.array(z.string().regex(/^[A-Za-z0-9._-]{1,253}$/)).max(6),
  }),
]);

export const BoxSpec = z.strictObject({
  schema: z.literal(BOX_SPEC_SCHEMA),
  hostname: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,62})$/),
  rootfs: Rootfs,
  process: ProcessSpec,
  mounts: z.array(Mount).max(64),
  network: Network,
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
  shmBytes,
});
/** A validated box spec. */
export type BoxSpec = z.infer<typeof BoxSpec>;
