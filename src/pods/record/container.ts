/**
 * The record of a container of a pod: a definition of which only the limits change, and a state.
 *
 * @module
 */
import { Confinement, Pids, ProcessSpec, Resources } from '@a3s-box/policies';
import * as z from 'zod';
import { ImageMount } from '../../boxes/record/box.ts';
import { TrustDecision } from '../../trust/decision.ts';
import { LogPosition } from '../logs/log-position.ts';
import { CONTAINER_STATUSES } from './states.ts';

/** What Kubernetes calls a container, and how often it was made anew in its pod. */
const ContainerMetadata = z.strictObject({ name: z.string(), attempt: z.int().min(0) });
export type ContainerMetadata = z.infer<typeof ContainerMetadata>;

/** Limits as they were asked for, to be shown again; 0 and empty: nothing was asked for. */
export const AskedLimits = z.strictObject({
  cpuPeriod: z.int(),
  cpuQuota: z.int(),
  cpuShares: z.int(),
  memoryLimitInBytes: z.int(),
  memorySwapLimitInBytes: z.int(),
  oomScoreAdj: z.int(),
  cpusetCpus: z.string(),
  cpusetMems: z.string(),
});
export type AskedLimits = z.infer<typeof AskedLimits>;

const PodMount = z.strictObject({
  /** Absolute path on the node. */
  hostPath: z.string(),
  containerPath: z.string(),
  readonly: z.boolean(),
  /** What is mounted below it on the node is read-only too. */
  recursive: z.boolean(),
});
/** A path of the node that a container mounts. */
export type PodMount = z.infer<typeof PodMount>;

export const ContainerDefinition = z.strictObject({
  id: z.string(),
  /** Id of its pod. */
  pod: z.string(),
  /** RFC 3339 with nanoseconds. */
  createdAt: z.string(),
  metadata: ContainerMetadata,
  image: z.strictObject({
    /** As it was asked for. */
    reference: z.string(),
    /** As a user of Kubernetes wrote it; empty where that is not known. */
    userReference: z.string(),
    id: z.string(),
    manifestDigest: z.string(),
    /** Canonical names by which the policy judges its start. */
    names: z.array(z.string()),
  }),
  /** The decision that allowed the creation. */
  trust: TrustDecision,
  mounts: z.array(PodMount).default([]),
  imageMounts: z.array(ImageMount).default([]),
  process: ProcessSpec,
  /** The PID namespace that it shares; absent: it has one of its own. */
  pids: Pids.optional(),
  /** The input ends with its first client. */
  stdinOnce: z.boolean(),
  readonlyRootfs: z.boolean(),
  confinement: Confinement,
  resources: Resources,
  askedLimits: AskedLimits,
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  /** Absolute path of its log. Empty: its output is not kept. */
  logPath: z.string(),
  /** As the agent takes it. */
  stopSignal: z.string(),
});
export type ContainerDefinition = z.infer<typeof ContainerDefinition>;

export const ContainerRecordState = z.strictObject({
  status: z.enum(CONTAINER_STATUSES),
  startedAt: z.string().optional(),
  /** Who its main process was started as; absent where the agent did not tell. */
  user: z.strictObject({ uid: z.int(), gid: z.int(), groups: z.array(z.int()) }).optional(),
  finishedAt: z.string().optional(),
  exitCode: z.int(),
  /**
   * `Completed`, `Error` or `OOMKilled` of one that ended, `StartError` of one that did not start.
   */
  reason: z.string(),
  /** What is known beyond the reason. */
  message: z.string(),
  /** How far its output is in its log. Absent: nothing is. */
  log: LogPosition.optional(),
});
export type ContainerRecordState = z.infer<typeof ContainerRecordState>;

/** A record, as the store returns it. It is never changed in place. */
export interface Container {
  readonly definition: ContainerDefinition;
  readonly state: ContainerRecordState;
}

/** The name that no two containers of a pod share. */
export function containerName({
  pod,
  metadata: { name, attempt },
}: Pick<ContainerDefinition, 'pod' | 'metadata'>): string {
  return [name, attempt, pod].join('_');
}
