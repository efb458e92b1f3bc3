/**
 * The record of a pod: a definition that never changes, and a state that does.
 *
 * @module
 */
import * as z from 'zod';
import { Names } from '../../boxes/record/names.ts';
import { TEES } from '../../engine/vm/confidential-launch.ts';
import { POD_STATUSES } from './states.ts';

const PodPort = z.strictObject({
  boxPort: z.int().min(1).max(65_535),
  protocol: z.enum(['tcp', 'udp']),
  /** Empty: every address of the host. */
  hostIp: z.string(),
  hostPort: z.int().min(1).max(65_535),
});
/** A port of the pod that the host publishes. */
export type PodPort = z.infer<typeof PodPort>;

/** What Kubernetes calls a pod, and how often it was made anew. No two pods have the same. */
const PodMetadata = z.strictObject({
  name: z.string(),
  uid: z.string(),
  namespace: z.string(),
  attempt: z.int().min(0),
});
export type PodMetadata = z.infer<typeof PodMetadata>;

export const PodDefinition = z.strictObject({
  id: z.string(),
  /** RFC 3339 with nanoseconds. */
  createdAt: z.string(),
  metadata: PodMetadata,
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  /** As it was asked for. */
  runtimeHandler: z.string(),
  /** Digest of the boot set of its microVM. */
  bootSet: z.string(),
  /** The identity that the VMM and its helpers run as. */
  identity: z.strictObject({ uid: z.int().min(0), gid: z.int().min(0) }),
  hostname: z.string(),
  /** The directory that the logs of containers are below. Empty: they have none. */
  logDirectory: z.string(),
  /** `cni`: the network of the node, which pods share. */
  network: z.enum(['default', 'none', 'cni']),
  names: Names,
  ports: z.array(PodPort),
  sysctls: z.record(z.string(), z.string()),
  /** The limit of all containers together, in bytes; 0: the default. */
  memoryBytes: z.int().min(0),
  /** CPU time of all containers together, in billionths of one CPU; 0: the default. */
  nanoCpus: z.int().min(0),
  /** Containers may be privileged. */
  privileged: z.boolean(),
  /**
   * The PID namespaces that its containers were to have; each says itself which it has. Absent of a
   * pod of an earlier server, which reported those of the containers.
   */
  pids: z.enum(['pod', 'container']).optional(),
  /** Absent of a plain pod. */
  confidential: z
    .strictObject({
      tee: z.enum(TEES),
      /** Canonical text of its launch spec: these bytes go to the guest. */
      launchSpec: z.string(),
      /** SHA-256 of the text, which is HOST_DATA. */
      specDigest: z.string(),
    })
    .optional(),
});
export type PodDefinition = z.infer<typeof PodDefinition>;
/** The secure processor of a confidential pod. */
export type PodTee = NonNullable<PodDefinition['confidential']>['tee'];

export const PodState = z.strictObject({
  status: z.enum(POD_STATUSES),
  /** How its microVM was started; absent before that. */
  vm: z
    .strictObject({
      start: z.enum(['cold', 'template', 'pool']),
      /** The key of the template that its memory comes from. */
      source: z.string().optional(),
    })
    .optional(),
  /** Why no pool of pods had a microVM for it, by the pool's name. Absent: there was none. */
  unpooled: z.record(z.string(), z.string()).optional(),
  /** What was launched, of a confidential pod. Absent: nothing yet, or that is not known. */
  launch: z
    .strictObject({
      /** The launch digest, as this host computed it. */
      measurement: z.string().optional(),
      /** The instance id, which the guest has made. */
      instance: z.string(),
    })
    .optional(),
  /** Paths of the node can be mounted into its containers. */
  mounts: z.literal(true).optional(),
  /** That lead to the pod from outside of its microVM; absent: none does. */
  addresses: z.array(z.string()).optional(),
  /** Why the microVM is gone, where nobody asked for that. Empty: nothing is known. */
  error: z.string(),
});
export type PodState = z.infer<typeof PodState>;

/** A record, as the store returns it. It is never changed in place. */
export interface Pod {
  readonly definition: PodDefinition;
  readonly state: PodState;
}

/** The name that no two pods share. Kubernetes' names have no underscore. */
export function podName({ name, namespace, uid, attempt }: PodMetadata): string {
  return [name, namespace, uid, attempt].join('_');
}
