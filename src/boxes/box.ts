/**
 * What a box is on record: a definition that never changes, and a state that does.
 *
 * @module
 */
import * as z from 'zod';
import { TrustDecision } from '../trust/decision.ts';
import { ConfidentialDefinition, ConfidentialState } from './confidential/record.ts';
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
});
/** A host path that appears in the box. */
export type Bind = z.infer<typeof Bind>;

/** What was asked for at create, with the image's part merged in. */
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
  stopSignal: z.string(),
  /** Seconds between the stop signal and SIGKILL. */
  stopTimeout: z.int().optional(),
  autoRemove: z.boolean(),
  /** Of the box's processes; 0 is the default. */
  memoryBytes: z.int(),
  /** CPU time in billionths of one CPU; 0 is the default. */
  nanoCpus: z.int(),
  network: z.enum(['default', 'none']),
  ports: z.array(Port),
  exposedPorts: z.array(z.string()),
  binds: z.array(Bind),
  /** What the image declares as volumes: ordinary directories of the box. */
  volumes: z.array(z.string()).default([]),
  /** Id of the memory snapshot that its first run goes on from. */
  snapshot: z.string().optional(),
  /** Absent: the host sees and may do everything. */
  confidential: ConfidentialDefinition.optional(),
});
export type BoxDefinition = z.infer<typeof BoxDefinition>;

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
};

/** The program and its arguments, as Docker joins them. */
export function commandOf(definition: Pick<BoxDefinition, 'entrypoint' | 'cmd'>): string[] {
  return [...definition.entrypoint, ...definition.cmd];
}
