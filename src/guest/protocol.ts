/**
 * The guest protocol's documents, as the host reads them: `docs/development/guest-protocol.md`.
 *
 * The agent's answers are untrusted. Every string is bounded here. Unknown keys are dropped, since
 * a newer agent may send more than this host understands.
 *
 * @module
 */
import { ProcessSpec } from '@a3s-box/policies';
import * as z from 'zod';
import { digestText } from '../oci/digest-text.ts';

/** The processor that serves a confidential guest: hardware, or the simulated processor. */
const TEES = ['snp', 'simulated'] as const;

/** The versions that this host speaks. */
export const PROTOCOL = { minimum: 1, maximum: 22 } as const;

/** The header that carries the negotiated version on every request but `hello`. */
export const PROTOCOL_HEADER = 'a3s-protocol';

/**
 * The header that numbers the requests of a connection, from 1: an agent may receive them in
 * another order.
 */
export const SEQUENCE_HEADER = 'a3s-sequence';

/** The main process's id. */
export const MAIN = 'main';

/** Largest number that JSON represents exactly. */
const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const line = z.string().max(256);

/** The id of a process: the host chooses it. */
export const ProcessId = z.string().regex(/^[a-z0-9]{1,64}$/);

export const Hello = z.object({
  protocol: z.object({ minimum: z.int().min(1), maximum: z.int().min(1) }),
  agent: line,
  kernel: line,
  /** Empty until a prepared guest is reseeded: each guest of a template has its own id. */
  bootId: line,
  /**
   * Microseconds since the guest booted, by its clock. Confidential guests and older agents do not
   * tell.
   */
  uptimeUsec: count.optional(),
  /** The processor that serves a confidential guest; absent where there is none. */
  tee: z.enum(TEES).optional(),
});
export type Hello = z.infer<typeof Hello>;

export const Exit = z.object({
  /** The process's own exit code, or 128 + signal. */
  exitCode: z.int().min(0).max(255),
  signal: z
    .string()
    .regex(/^SIG[A-Z0-9+]{1,12}$/)
    .nullable(),
  oomKilled: z.boolean(),
  finishedAt: z.iso.datetime({ offset: true }).max(64),
  /** Why the guest ended the process, or never started it. */
  error: z.object({ code: z.string().max(64), message: z.string().max(4096) }).nullish(),
});
export type Exit = z.infer<typeof Exit>;

const numericId = z.int().min(0).max(0xffff_ffff);

/** Who a main process was started as, by the numbers of its box. */
const ProcessUser = z.object({
  uid: numericId,
  gid: numericId,
  groups: z.array(numericId).max(1024),
});

export const Process = z.object({
  id: ProcessId,
  /** `waiting`: it was started, and some of its secrets are missing. */
  state: z.enum(['created', 'waiting', 'running', 'exited']),
  /** The process id inside the box; 0 while it has not started. */
  pid: count,
  startedAt: z.iso.datetime({ offset: true }).max(64).nullable(),
  exit: Exit.nullable(),
  /** Bytes of output so far, and how many of them the host has acknowledged. */
  written: count,
  acknowledged: count,
  /** Of a main process that was started; absent with older agents, or with too many groups. */
  user: ProcessUser.optional(),
});
export type Process = z.infer<typeof Process>;

export const GuestState = z.object({
  /** Digest of the spec that was taken. */
  spec: digestText.nullable(),
  processes: z.array(Process).max(4096),
});
export type GuestState = z.infer<typeof GuestState>;

export const ContainerList = z.object({
  containers: z.array(GuestState.extend({ id: ProcessId })).max(64),
});
/** A container of a pod. */
export type ContainerState = z.infer<typeof ContainerList>['containers'][number];

export const SpecTaken = z.object({ spec: digestText });
export type SpecTaken = z.infer<typeof SpecTaken>;

/** The answer of a confidential guest's agent to the launch spec. */
export const LaunchSpecTaken = z.object({
  /** SHA-256 of the bytes that it took. */
  specDigest: z.string().regex(/^[0-9a-f]{64}$/),
  /** Generated in this guest. */
  instance: z.string().regex(/^[0-9a-f]{32}$/),
  /** Its sealed volumes. Absent: none. */
  volumes: z
    .array(
      z.object({
        name: z.string().max(64),
        id: z.string().regex(/^[0-9a-f]{32}$/),
        /** The guest has made it. */
        created: z.boolean(),
      }),
    )
    .max(64)
    .optional(),
});
export type LaunchSpecTaken = z.infer<typeof LaunchSpecTaken>;

/** The state of a confidential guest's secrets; never a value. */
export const SecretsReport = z.object({
  /** Grows with every change. */
  version: count,
  state: z.enum(['none', 'waiting', 'ready', 'expired', 'refused']),
  secrets: z.array(z.object({ name: z.string().max(64), delivered: z.boolean() })).max(64),
});
export type SecretsReport = z.infer<typeof SecretsReport>;

/** Longest certificate table that a guest takes. */
export const MAX_CERTIFICATES = 64 * 1024;

export const StdinEnd = z.object({ closed: z.boolean() });
export type StdinEnd = z.infer<typeof StdinEnd>;

export const Stats = z.object({
  memoryBytes: count,
  memoryPeakBytes: count,
  cpuUsec: count,
  pids: count,
  /** The documents below belong to protocol 4. */
  detail: z
    .object({
      /** Time of the guest's clock, by which intervals between two samples are measured. */
      readAt: z.iso.datetime({ offset: true }).max(64),
      /**
       * CPU time of the whole guest since it booted, idle time included, in microseconds, and its
       * processors.
       */
      systemUsec: count,
      cpus: z.int().min(1).max(4096),
      userUsec: count,
      kernelUsec: count,
      throttled: z.object({ periods: count, throttledPeriods: count, throttledUsec: count }),
      /** 0: unlimited. */
      memoryLimitBytes: count,
      pidsLimit: count,
      /** Lines of `memory.stat`. */
      memory: z.record(z.string().max(64), count),
      /** `memory.events`: how often the limit was reached, and how many processes were killed. */
      oomKills: count,
      /** By block device, as `major:minor`. */
      io: z
        .array(
          z.object({
            device: z.string().regex(/^\d{1,5}:\d{1,7}$/),
            readBytes: count,
            writtenBytes: count,
            reads: count,
            writes: count,
          }),
        )
        .max(256),
      /** Devices of the box's network namespace except `lo`. */
      networks: z
        .array(
          z.object({
            name: z.string().max(16),
            receivedBytes: count,
            receivedPackets: count,
            receiveErrors: count,
            receiveDropped: count,
            sentBytes: count,
            sentPackets: count,
            sendErrors: count,
            sendDropped: count,
          }),
        )
        .max(16),
    })
    .optional(),
});
export type Stats = z.infer<typeof Stats>;

/** One process of the box, as `ps` would see it from inside. Protocol 4. */
export const ProcessEntry = z.object({
  /** The process id inside the box. */
  pid: count,
  ppid: count,
  uid: count,
  gid: count,
  /** Name of the user in the box's `/etc/passwd`; empty where it has none. */
  user: z.string().max(256),
  /** One letter, as in `/proc/PID/stat`. */
  state: z.string().max(1),
  /** Such as `pts/0`; empty without one. */
  terminal: z.string().max(32),
  nice: z.int().min(-20).max(19),
  threads: count,
  startedAt: z.iso.datetime({ offset: true }).max(64),
  cpuUsec: count,
  residentBytes: count,
  virtualBytes: count,
  /** Name of the program, at most 15 bytes; bytes that are not UTF-8 are replaced. */
  name: z.string().max(64),
  /** The command line; empty for a process without one. The agent bounds its length. */
  args: z.array(z.string().max(4096)).max(256),
});
export type ProcessEntry = z.infer<typeof ProcessEntry>;

/** Answer of `GET /v1/top`. The agent bounds the number and the size of its entries. */
export const ProcessList = z.object({ processes: z.array(ProcessEntry).max(4096) });
export type ProcessList = z.infer<typeof ProcessList>;

export const GuestErrorBody = z.object({
  error: z.object({
    code: z.string().max(64),
    message: z.string().max(65_536),
    /** The field of the launch spec that decided. Agents of older boot sets do not say. */
    rule: z.string().max(1024).optional(),
  }),
});

/** Random bytes for the guest's generator. The agent requires this number of them. */
export const ENTROPY_BYTES = 64;

const identity = {
  entropy: z.base64().length(4 * Math.ceil(ENTROPY_BYTES / 3)),
  /** RFC 3339, in UTC, with nanoseconds. */
  time: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/),
  machineId: z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/),
};

/** Body of `POST /v1/wake`: the identity of a guest that started from a template. */
export const Reseed = z.strictObject(identity);
export type Reseed = z.infer<typeof Reseed>;

/** Body of `POST /v1/fork`: the identity of a fork. */
export const Fork = z.strictObject({
  ...identity,
  hostname: z.string().min(1).max(64),
  /** The address of eth0; null where there is none, which is left out on the wire. */
  mac: z
    .string()
    .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)
    .nullable()
    .default(null),
});
export type Fork = z.infer<typeof Fork>;

/** Body of `POST /v1/processes`. */
export const StartProcess = z.strictObject({
  id: ProcessId.refine((id) => id !== MAIN, { error: 'main is started by its own route' }),
  process: ProcessSpec,
  /**
   * Protocol 4: the process has a control group of its own below the box's, so that SIGKILL by its
   * id ends all that it started. A health probe is such a process.
   */
  group: z.boolean().optional(),
  /** Protocol 7: the process has all capabilities. */
  privileged: z.boolean().optional(),
});
export type StartProcess = z.infer<typeof StartProcess>;

/** What a path of the box names. Protocol 7. */
export const FileStat = z.object({
  name: z.string().max(4096),
  size: count,
  /** The bits of Go's `fs.FileMode`, by which Docker's clients read a mode. */
  mode: z.int().min(0).max(0xffff_ffff),
  /** Seconds since 1970, and nanoseconds. */
  mtime: z.int(),
  nanoseconds: z.int().min(0).max(999_999_999),
  /** The absolute path that a symbolic link leads to; empty for anything else. */
  linkTarget: z.string().max(16_384),
});
export type FileStat = z.infer<typeof FileStat>;

/** Body of `POST /v1/files/stat` and `POST /v1/files/read`. */
export const FilePath = z.strictObject({ path: z.string().min(1).max(4096) });

/** One line of the answer of `POST /v1/files/changes`. */
export const FileChange = z.object({
  path: z.string().max(16_384),
  /** 0: modified, 1: added, 2: deleted. */
  kind: z.int().min(0).max(2),
});
export type FileChange = z.infer<typeof FileChange>;

/** First line of the body of `PUT /v1/files`. */
export const WriteFiles = z.strictObject({
  path: FilePath.shape.path,
  /** A directory is not replaced by anything else, nor the other way round. */
  keepKinds: z.boolean(),
  /** The files belong to the user of the main process, whatever the archive says. */
  ofUser: z.boolean(),
});
export type WriteFiles = z.infer<typeof WriteFiles>;

/**
 * A path that the host has changed: the tag of a share, and the path in it. An empty path is the
 * share's root.
 */
export const ShareChange = z.strictObject({
  share: z.string().regex(/^[a-z0-9][a-z0-9-]{0,35}$/),
  path: z.string().max(4095),
});
export type ShareChange = z.infer<typeof ShareChange>;

/** Body of `POST /v1/shares/changes`. Protocol 8. */
export const ShareChanges = z.strictObject({ changes: z.array(ShareChange).max(512) });

/** Of how many changes the box's watchers were told. */
export const ShareChangesTaken = z.object({ touched: count });

/** The path of a Unix socket in the box: it fits a socket's address, and a query as it is. */
export const SocketPath = z.string().regex(/^\/[a-zA-Z0-9._/-]{1,106}$/);

/** Body of `POST /v1/processes/{id}/signal`. */
export const Signal = z.strictObject({ signal: z.string().regex(/^(SIG[A-Z0-9+-]+|\d{1,2})$/) });

/** Body of `POST /v1/processes/{id}/resize`. */
export const TerminalSize = z.strictObject({
  rows: z.int().min(1).max(65_535),
  columns: z.int().min(1).max(65_535),
});
export type TerminalSize = z.infer<typeof TerminalSize>;
