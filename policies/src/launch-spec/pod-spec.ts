/**
 * The specs of a pod and of its containers: what the agent of a guest with several containers takes
 * in place of a box spec.
 *
 * @module
 */
import * as z from 'zod';
import { BoxSpec, Loopback, Nic, Resources } from './box-spec.ts';
import { shmBytes } from './tmpfs.ts';

/** The value of `schema` in every document of a pod of this version. */
export const POD_SPEC_SCHEMA = 'a3s-box/pod-spec/v1';
/** The value of `schema` in every document of a container of this version. */
export const CONTAINER_SPEC_SCHEMA = 'a3s-box/container-spec/v1';

const { hostname, hosts, domainname, sysctls } = BoxSpec.shape;
const { rootfs, process, mounts, confinement, resources, init, directories, tmpfs } = BoxSpec.shape;

/** The card of a pod. */
const PodNic = Nic.extend({
  /** Absent: none. Version 22 of the guest protocol. */
  ipv6: z
    .strictObject({
      /** As RFC 5952 writes it. */
      address: z.ipv6(),
      prefixLength: z.int().min(8).max(126),
      /** The way to all else, by a hardware address that the guest asks nobody for. */
      router: z.ipv6(),
      routerMac: Nic.shape.mac,
    })
    .optional(),
});

/** What the containers of a pod have in common. */
export const PodSpec = z.strictObject({
  schema: z.literal(POD_SPEC_SCHEMA),
  ...{ hostname, hosts, domainname, sysctls },
  network: z.discriminatedUnion('kind', [Loopback, PodNic]),
  /** Limits of all containers together. */
  resources: Resources.omit({ ulimits: true }),
  /** The size of their `/dev/shm`. */
  shmBytes,
  /** Whether containers may be privileged. Absent is false. */
  privileged: z.boolean().optional(),
});
export type PodSpec = z.infer<typeof PodSpec>;

/** The PID namespace of the pod, or of another container that runs. */
export const Pids = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('pod') }),
  z.strictObject({ kind: z.literal('container'), id: z.string().regex(/^[a-z0-9]{1,64}$/) }),
]);
export type Pids = z.infer<typeof Pids>;

/** One container: everything of a box that is not the pod's. */
export const ContainerSpec = z.strictObject({
  schema: z.literal(CONTAINER_SPEC_SCHEMA),
  ...{ rootfs, process, confinement, resources, init, directories, tmpfs },
  /** Not of disks: the agent mounts such a disk for one box. */
  mounts: mounts.refine((all) => all.every(({ kind }) => kind !== 'disk'), {
    error: 'must have no disk of a volume in a container',
  }),
  /** The PID namespace that it shares. Absent: it has one of its own. */
  pids: Pids.optional(),
});
export type ContainerSpec = z.infer<typeof ContainerSpec>;
