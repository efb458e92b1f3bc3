/**
 * What a box is on record: a definition that never changes, and a state that does.
 *
 * @module
 */
import * as z from 'zod';
import { TrustDecision } from '../../trust/decision.ts';
import { ConfidentialDefinition, ConfidentialState } from './confidential.ts';
import { Limits, NO_LIMITS } from './limits.ts';
import { BOX_STATUSES } from './states.ts';

const Port = z.strictObject({
  boxPort: z.int().min(1).max(65_535),
  /** Empty: every address of the host. */
  hostIp: z.string(),
  /** 0: a free one, chosen at each start. */
  hostPort: z.int().min(0).max(65_535),
});
/** A port of the box that the host publishes. */
export type Port = z.infer<typeof Port>;

const Bind = z.strictObject({
  source: z.string(),
  destination: z.string(),
  readonly: z.boolean(),
  /** Where the source led when the box was created. Old records have none. */
  realPath: z.string().optional(),
  /** As it was given, for the inspection. Absent: empty, or of an old record. */
  mode: z.string().optional(),
});
/** A host path that appears in the box. */
export type Bind = z.infer<typeof Bind>;

/** Docker's driver by which the output is kept. */
export const LogSettings = z.strictObject({
  driver: z.enum(['json-file', 'local', 'none']),
  /** As they were given, for `inspect`. */
  options: z.record(z.string(), z.string()),
  /** Bytes of one file; undefined is unlimited. */
  maxBytes: z.int().min(1).optional(),
  /** How many files, the present one included. */
  maxFiles: z.int().min(1),
  compress: z.boolean(),
});
export type LogSettings = z.infer<typeof LogSettings>;

/** Of a box that asked for nothing: one file without end. */
export const DEFAULT_LOGGING: LogSettings = {
  driver: 'json-file',
  options: {},
  maxFiles: 1,
  compress: false,
};

export const RestartPolicy = z.strictObject({
  name: z.enum(['no', 'on-failure', 'always', 'unless-stopped']),
  /** Of `on-failure`: how often at most; 0 is for ever. */
  maximumRetryCount: z.int().min(0),
});
export type RestartPolicy = z.infer<typeof RestartPolicy>;

/** A health check as it is run: the image's and the flags' merged, and every default filled in. Times are in nanoseconds. */
export const HealthCheck = z.strictObject({
  /** `CMD` with arguments, or `CMD-SHELL` with one line for `/bin/sh -c`, or the image's `SHELL`. */
  test: z.array(z.string()).min(2),
  interval: z.int().min(1),
  timeout: z.int().min(1),
  startPeriod: z.int().min(0),
  startInterval: z.int().min(1),
  retries: z.int().min(1),
  /** As it was asked for, for `inspect`: zeros are not filled in. */
  asked: z.record(z.string(), z.union([z.int(), z.array(z.string())])),
});
export type HealthCheck = z.infer<typeof HealthCheck>;

/**
 * What was asked for at create, with the image's part merged in. `update` and `rename` change what they name; nothing else does.
 */
export const BoxDefinition = z.strictObject({
  id: z.string(),
  createdAt: z.string(),
  image: z.strictObject({
    /** As the caller named it. */
    reference: z.string(),
    id: z.string(),
    manifestDigest: z.string(),
    /** Canonical names that every start is judged by, whatever has become of them since. Old records have none. */
    names: z.array(z.string()).optional(),
  }),
  /** Why it could be made. */
  trust: TrustDecision.optional(),
  /** Digest of the boot set that every start of this box uses. */
  bootSet: z.string(),
  /** Who the box's VMM and its helpers run as. */
  identity: z.strictObject({ uid: z.int().min(0), gid: z.int().min(0) }),
  entrypoint: z.array(z.string()),
  cmd: z.array(z.string()),
  /** As Docker shows it: the user's entries, then the image's. */
  env: z.array(z.string()),
  /** Empty: neither the request nor the image has one, and `/` is meant. */
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
  /** Absent: neither the request nor the image has one, and SIGTERM is meant. */
  stopSignal: z.string().optional(),
  /** Seconds between the stop signal and SIGKILL. */
  stopTimeout: z.int().optional(),
  autoRemove: z.boolean(),
  /** Of the box's processes; 0 is the default. */
  memoryBytes: z.int(),
  /** CPU time in billionths of one CPU; 0 is the default. */
  nanoCpus: z.int(),
  /** What else the box is held to. Old records have none. */
  limits: Limits.default(NO_LIMITS),
  restart: RestartPolicy.default({ name: 'no', maximumRetryCount: 0 }),
  /** The main process is a child of an init. */
  init: z.boolean().default(false),
  logging: LogSettings.default(DEFAULT_LOGGING),
  health: HealthCheck.optional(),
  /** A health check that never runs, `NONE` or of a type that is not known, for the inspection. */
  inertHealth: HealthCheck.shape.asked.optional(),
  network: z.enum(['default', 'none']),
  ports: z.array(Port),
  exposedPorts: z.array(z.string()),
  binds: z.array(Bind),
  /** The client's note of where it wrote the id. */
  containerIdFile: z.string().optional(),
  /** What the image declares as volumes, and the request beside its bind mounts: ordinary directories of the box. */
  volumes: z.array(z.string()).default([]),
  /** Id of the memory snapshot that its first run goes on from. */
  snapshot: z.string().optional(),
  /** Absent: the host sees and may do everything. */
  confidential: ConfidentialDefinition.optional(),
});
export type BoxDefinition = z.infer<typeof BoxDefinition>;

/** How the last probes of a run went. */
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
  /** Counts the starts; output and events of different runs are told apart by it. */
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
  /** Why the last start was allowed, or refused. */
  trust: TrustDecision.optional(),
  /** Someone asked for the end of this run. */
  stopRequested: z.boolean(),
  /** How often the policy has started the box since a user did. */
  restartCount: z.int().default(0),
  /** While `restarting`: when the policy starts it, and how long it waited, in milliseconds. */
  restartAt: z.string().optional(),
  restartDelayMs: z.int().optional(),
  /** Of this run; absent where there is no health check. */
  health: HealthState.optional(),
  /** How this run's machine came to be. Old records have none: theirs booted. */
  machine: z
    .strictObject({
      /** Of the machine; a box that took one from a pool did not name it. */
      id: z.string(),
      identity: z.strictObject({ uid: z.int().min(0), gid: z.int().min(0) }),
      start: z.enum(['cold', 'template', 'pool', 'snapshot']),
      /** Key of the template, or id of the snapshot, that its memory is a copy of. */
      source: z.string().optional(),
      /** What the main process of the snapshot had written then: output of this run begins behind it. */
      written: z.int().optional(),
    })
    .optional(),
  /** What was launched for this run of a confidential box. */
  launch: ConfidentialState.optional(),
});
export type BoxState = z.infer<typeof BoxState>;

/** A record, as the store hands it out. Never changed in place. */
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

/** Where the processes of the box begin. */
export function directoryOf({ cwd }: Pick<BoxDefinition, 'cwd'>): string {
  return cwd === '' ? '/' : cwd;
}

/** The program and its arguments, as Docker joins them. */
export function commandOf(definition: Pick<BoxDefinition, 'entrypoint' | 'cmd'>): string[] {
  return [...definition.entrypoint, ...definition.cmd];
}
