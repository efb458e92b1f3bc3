/**
 * The record of a box: a definition that hardly ever changes, and a state that does.
 *
 * @module
 */
import * as z from 'zod';
import { ENGINE_NAMES } from '../../engine/engine-name.ts';
import { RecordedPolicy } from '../../networks/egress/egress.ts';
import { EgressSecret } from '../../networks/egress/secrets.ts';
import { TrustDecision } from '../../trust/decision.ts';
import { ConfidentialDefinition, ConfidentialState } from './confidential.ts';
import { BoxEndpoint } from './endpoint.ts';
import { Limits, NO_LIMITS } from './limits.ts';
import { Names } from './names.ts';
import { SealedMount } from './sealed-mount.ts';
import { Security } from './security.ts';
import { BOX_STATUSES } from './states.ts';
import { TmpfsMount } from './tmpfs.ts';

const Port = z.strictObject({
  boxPort: z.int().min(1).max(65_535),
  /** Old records have none: theirs are TCP. */
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
  /** Empty: every address of the host. */
  hostIp: z.string(),
  /** 0: a free port, chosen at each start. */
  hostPort: z.int().min(0).max(65_535),
  /** The last of a range: the first port in it that is free is chosen at each start. */
  hostPortEnd: z.int().min(1).max(65_535).optional(),
  /**
   * Of a port that is published, at an IPv6 address, of a box without IPv6: the port of 127.0.0.1
   * by which it leads to the box.
   */
  relay: z.int().min(1).max(65_535).optional(),
});
/** A port of the box that the host publishes. */
export type Port = z.infer<typeof Port>;

const Bind = z.strictObject({
  source: z.string(),
  destination: z.string(),
  readonly: z.boolean(),
  /** Where the source led when the box was created. Old records have none. */
  realPath: z.string().optional(),
  /** As it was given, for `inspect`. Absent: it was empty, or the record is old. */
  mode: z.string().optional(),
  /** It is of another box, by `--volumes-from`. */
  inherited: z.literal(true).optional(),
  /** It was given in the long form, `--mount`. */
  long: z
    .strictObject({
      createMountpoint: z.boolean(),
      /**
       * What is mounted below the source is left out, or stays writable. Either is so where nothing
       * is, and a box does not start where something is.
       */
      below: z.enum(['disabled', 'writable']).optional(),
    })
    .optional(),
});
/** A host path that appears in the box. */
export type Bind = z.infer<typeof Bind>;

const VolumeMount = z.strictObject({
  name: z.string(),
  /** The request named no volume: this one goes with the box. */
  anonymous: z.boolean(),
  destination: z.string(),
  readonly: z.boolean(),
  /** The path in it that is mounted. Absent: its root. */
  subpath: z.string().optional(),
  /** The image's files are not copied into the volume where it is empty. */
  noCopy: z.boolean(),
  /** As it was given, for `inspect`. */
  mode: z.string(),
  /** How it was asked for: `name:/path`, in the long form, or by its path alone. */
  form: z.enum(['bind', 'long', 'path']),
  /** It is a sealed one. */
  sealed: SealedMount.optional(),
});
/** A volume that appears in the box. */
export type VolumeMount = z.infer<typeof VolumeMount>;

/** An image, as a box holds it. */
const PinnedImage = z.strictObject({
  /** As the caller named it. */
  reference: z.string(),
  id: z.string(),
  manifestDigest: z.string(),
});

export const ImageMount = z.strictObject({
  /** With the canonical names by which the policy judges every start. */
  image: PinnedImage.extend({ names: z.array(z.string()) }),
  destination: z.string(),
  /** The path in it that is mounted. Absent: its root. */
  subpath: z.string().optional(),
});
/** Another image that appears in the box, read-only. */
export type ImageMount = z.infer<typeof ImageMount>;

/** How the output is kept: Docker's driver and its options. */
export const LogSettings = z.strictObject({
  driver: z.enum(['json-file', 'local', 'none']),
  /** As they were given, for `inspect`. */
  options: z.record(z.string(), z.string()),
  /** The limit of one file in bytes; undefined: unlimited. */
  maxBytes: z.int().min(1).optional(),
  /** The number of files, the present one included. */
  maxFiles: z.int().min(1),
  compress: z.boolean(),
});
export type LogSettings = z.infer<typeof LogSettings>;

/** The settings of a box that asked for none: one file without a limit. */
export const DEFAULT_LOGGING: LogSettings = {
  driver: 'json-file',
  options: {},
  maxFiles: 1,
  compress: false,
};

export const RestartPolicy = z.strictObject({
  name: z.enum(['no', 'on-failure', 'always', 'unless-stopped']),
  /** The most restarts of `on-failure`; 0: unlimited. */
  maximumRetryCount: z.int().min(0),
});
export type RestartPolicy = z.infer<typeof RestartPolicy>;

/**
 * A health check as it is run: the image's and the flags' are merged, and every default is filled
 * in. Times are in nanoseconds.
 */
export const HealthCheck = z.strictObject({
  /**
   * `CMD` with arguments, or `CMD-SHELL` with one line for `/bin/sh -c` or for the image's `SHELL`.
   */
  test: z.array(z.string()).min(2),
  interval: z.int().min(1),
  timeout: z.int().min(1),
  startPeriod: z.int().min(0),
  startInterval: z.int().min(1),
  retries: z.int().min(1),
  /** As it was asked for, for `inspect`, without defaults. */
  asked: z.record(z.string(), z.union([z.int(), z.array(z.string())])),
});
export type HealthCheck = z.infer<typeof HealthCheck>;

/**
 * What was asked for at create, merged with the image's configuration. Only `update` and `rename`
 * change it, and only what they name.
 */
export const BoxDefinition = z.strictObject({
  id: z.string(),
  createdAt: z.string(),
  image: PinnedImage.extend({
    /**
     * Canonical names by which the policy judges every start, also when they name other images
     * since. Old records have none.
     */
    names: z.array(z.string()).optional(),
  }),
  /** The decision that allowed the creation. */
  trust: TrustDecision.optional(),
  /** Digest of the boot set that every start of this box uses. */
  bootSet: z.string(),
  /** Of its guest, where it is not the host's. */
  architecture: z.literal('arm64').optional(),
  /**
   * The engine of every run, and whether the request or the server's configuration named it.
   * Absent: the automatic one.
   */
  engine: z
    .strictObject({ name: z.enum(ENGINE_NAMES), by: z.enum(['request', 'configuration']) })
    .optional(),
  /** The identity that the box's VMM and its helpers run as. */
  identity: z.strictObject({ uid: z.int().min(0), gid: z.int().min(0) }),
  entrypoint: z.array(z.string()),
  cmd: z.array(z.string()),
  /** As Docker shows it: the user's entries, then the image's. */
  env: z.array(z.string()),
  /** Empty: neither the request nor the image has one, which means `/`. */
  cwd: z.string(),
  user: z.string(),
  terminal: z.boolean(),
  openStdin: z.boolean(),
  /** The input ends with its first client. */
  stdinOnce: z.boolean(),
  attach: z.strictObject({ stdin: z.boolean(), stdout: z.boolean(), stderr: z.boolean() }),
  size: z.strictObject({ rows: z.int(), columns: z.int() }).optional(),
  hostname: z.string(),
  labels: z.record(z.string(), z.string()),
  /** Absent: neither the request nor the image has one, which means SIGTERM. */
  stopSignal: z.string().optional(),
  /** Seconds between the stop signal and SIGKILL. */
  stopTimeout: z.int().optional(),
  autoRemove: z.boolean(),
  /** The memory of the box's processes; 0: the default. */
  memoryBytes: z.int(),
  /** CPU time in billionths of one CPU; 0: the default. */
  nanoCpus: z.int(),
  /** The other limits of the box. Old records have none. */
  limits: Limits.default(NO_LIMITS),
  security: Security.prefault({}),
  restart: RestartPolicy.default({ name: 'no', maximumRetryCount: 0 }),
  /** The main process is a child of an init. */
  init: z.boolean().default(false),
  logging: LogSettings.default(DEFAULT_LOGGING),
  health: HealthCheck.optional(),
  /** A health check that never runs, of `NONE` or of an unknown type, for `inspect`. */
  inertHealth: HealthCheck.shape.asked.optional(),
  /**
   * `default`: it has a network of its own, besides those of `endpoints`. `user`: it has none but
   * those, of which there may be none.
   */
  network: z.enum(['default', 'none', 'user']),
  /**
   * The main network by the name that it was created with. Absent: as `network` says, or the first.
   */
  networkMode: z.string().optional(),
  /** The hardware address that was chosen for its card in its own network. */
  mac: z.string().optional(),
  /** Further addresses of that card. Absent: none. */
  ownLinkLocal: z.array(z.string()).optional(),
  /** Options for a driver of that network, for `inspect`: no driver reads them. Absent: none. */
  ownDriverOptions: z.record(z.string(), z.string()).optional(),
  /** `none` was asked for by `NetworkDisabled`. */
  networkDisabled: z.literal(true).optional(),
  /** Its places in user-defined networks. Old records have none. */
  endpoints: z.array(BoxEndpoint).default([]),
  names: Names.prefault({}),
  /** Links as they were given for the main network, for `inspect`. Absent: none. */
  links: z.array(z.string()).optional(),
  /** Its links in `bridge`: the id of each box that it is linked to. Absent: none. */
  boxLinks: z.array(z.strictObject({ box: z.string(), alias: z.string() })).optional(),
  /** What it may reach outside of its networks. Absent: what its host reaches. */
  egress: RecordedPolicy.optional(),
  /**
   * Secrets that the host puts into requests of the box. Their values are in a file of the box's
   * directory. Absent: none.
   */
  egressSecrets: z
    .strictObject({
      /** The certificate of the box's own authority, in PEM. */
      authority: z.string(),
      secrets: z.array(EgressSecret).min(1),
    })
    .optional(),
  ports: z.array(Port),
  exposedPorts: z.array(z.string()),
  /** Every exposed port is published. */
  publishAll: z.boolean().optional(),
  binds: z.array(Bind),
  volumeMounts: z.array(VolumeMount).default([]),
  imageMounts: z.array(ImageMount).default([]),
  tmpfs: z.array(TmpfsMount).default([]),
  /** The size of `/dev/shm`. Absent: 64 MiB. */
  shmBytes: z.int().min(1).optional(),
  /** The root is read-only for the processes of the box. */
  readonlyRootfs: z.boolean().default(false),
  /** The writable layer has a size of its own. */
  storage: z
    .strictObject({
      bytes: z.int().min(1),
      /** As it was given, for `inspect`. */
      options: z.record(z.string(), z.string()),
    })
    .optional(),
  /** As it was given, for `inspect`. Absent: not given. */
  volumeDriver: z.string().optional(),
  /** Boxes whose mounts this box has as well, as they were given. */
  volumesFrom: z.array(z.string()).default([]),
  /** The shell that runs the line of a health check. Absent: the image's. */
  shell: z.array(z.string()).min(1).optional(),
  /** Instructions for builds on images that are made of the box. */
  onBuild: z.array(z.string()).min(1).optional(),
  /** As it was given, for `inspect`. */
  argsEscaped: z.literal(true).optional(),
  /** Where the client wrote the id, by its own account. */
  containerIdFile: z.string().optional(),
  /**
   * Paths of volumes, of the image and of the request. One without a mount is a directory of the
   * box.
   */
  volumes: z.array(z.string()).default([]),
  /** The id of the memory snapshot that its first run starts from. */
  snapshot: z.string().optional(),
  /** Absent: the host sees and may do everything. */
  confidential: ConfidentialDefinition.optional(),
});
export type BoxDefinition = z.infer<typeof BoxDefinition>;

/** The results of the last probes of a run. */
export const HealthState = z.strictObject({
  status: z.enum(['starting', 'healthy', 'unhealthy']),
  failingStreak: z.int(),
  /** The last five, oldest first. */
  log: z.array(
    z.strictObject({
      start: z.string(),
      end: z.string(),
      exitCode: z.int(),
      /** Bounded to 4096 bytes. */
      output: z.string(),
    }),
  ),
});
export type HealthState = z.infer<typeof HealthState>;

export const BoxState = z.strictObject({
  status: z.enum(BOX_STATUSES),
  /** The number of starts. It distinguishes the output and the events of different runs. */
  run: z.int(),
  /** Process id of the VMM, 0 while there is none. */
  pid: z.int(),
  startedAt: z.string().optional(),
  finishedAt: z.string().optional(),
  exitCode: z.int(),
  oomKilled: z.boolean(),
  error: z.string(),
  /** The published ports of this run, each with its real number. */
  ports: z.array(Port),
  /** The decision that allowed or refused the last start. */
  trust: TrustDecision.optional(),
  /** A user asked for the end of this run. */
  stopRequested: z.boolean(),
  /** How often the policy has started the box since a user did. */
  restartCount: z.int().default(0),
  /**
   * While `restarting`: when the policy starts the box. `restartDelayMs` is how long it waits for
   * that, or waited before this run.
   */
  restartAt: z.string().optional(),
  restartDelayMs: z.int().optional(),
  /** The health of this run; absent where there is no health check. */
  health: HealthState.optional(),
  /** How this run's microVM was started. Old records have none: theirs booted. */
  machine: z
    .strictObject({
      /** The id of the microVM. A microVM of a pool has an id of its own. */
      id: z.string(),
      identity: z.strictObject({ uid: z.int().min(0), gid: z.int().min(0) }),
      start: z.enum(['cold', 'template', 'pool', 'snapshot']),
      /** The key of the template, or the id of the snapshot, that its memory comes from. */
      source: z.string().optional(),
      /**
       * How much the main process had written when the snapshot was made. The output of this run
       * begins behind it.
       */
      written: z.int().optional(),
    })
    .optional(),
  /** Its networks are being changed while it runs. A server that takes over puts them in order. */
  changesNetworks: z.literal(true).optional(),
  /** While `paused`: the pause ends with what it was made for, such as a commit. */
  resumes: z.boolean().optional(),
  /**
   * Its writable layer is kept although the box never ran: files were copied into it or read from
   * it, or it is the disk of a snapshot.
   */
  hasFiles: z.boolean().optional(),
  /** The disk that it is to have is being made. The next server removes such a box. */
  incomplete: z.boolean().optional(),
  /** The launch of this run of a confidential box. */
  launch: ConfidentialState.optional(),
});
export type BoxState = z.infer<typeof BoxState>;

/** A record, as the store returns it. It is never changed in place. */
export interface Box {
  readonly definition: BoxDefinition;
  readonly name: string;
  /** Grows with every change of this record. */
  readonly generation: number;
  readonly state: BoxState;
}

/** The state of a box that never ran. */
export const INITIAL_STATE: BoxState = {
  status: 'created',
  run: 0,
  pid: 0,
  exitCode: 0,
  oomKilled: false,
  error: '',
  ports: [],
  stopRequested: false,
  restartCount: 0,
};

const DEFAULT_STOP_SIGNAL = 'SIGTERM';

/** The signal that asks the main process to end. */
export function stopSignalOf({ stopSignal }: Pick<BoxDefinition, 'stopSignal'>): string {
  return stopSignal ?? DEFAULT_STOP_SIGNAL;
}

/** The working directory of the box's processes. */
export function directoryOf({ cwd }: Pick<BoxDefinition, 'cwd'>): string {
  return cwd === '' ? '/' : cwd;
}

/** The program and its arguments, as Docker joins them. */
export function commandOf(definition: Pick<BoxDefinition, 'entrypoint' | 'cmd'>): string[] {
  return [...definition.entrypoint, ...definition.cmd];
}
