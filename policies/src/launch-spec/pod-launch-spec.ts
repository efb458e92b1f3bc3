/**
 * The launch spec of a confidential pod: all of its containers, and what they have in common.
 *
 * As that of a box, its canonical text is what the agent takes, and its SHA-256 is HOST_DATA of the
 * guest. Containers are added while the pod runs: the agent refuses those that it does not name.
 *
 * @module
 */
import * as z from 'zod';
import { absolutePath } from './absolute-path.ts';
import { canonicalJson } from './canonical-json.ts';
import { ContainerConfinement } from './launch-confinement.ts';
import { LaunchSpec } from './launch-spec.ts';

/** The value of `schema` in every document of this version. */
export const POD_LAUNCH_SPEC_SCHEMA = 'a3s-box/pod-launch-spec/v1';

const { deployment, hostname, network, resources, shmBytes, domainname, sysctls } =
  LaunchSpec.shape;
const { hosts, resolver, hostMay, secrets, secretsDeadline, sealing, sealers, broker } =
  LaunchSpec.shape;
const { image, rootfs, process, stopSignal, tmpfs } = LaunchSpec.shape;

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/);

const cleanPath = absolutePath.refine(
  (path) =>
    path !== '/' &&
    path.split('/').every((part, at) => at === 0 || !['', '.', '..'].includes(part)),
  { error: 'must have no empty component, . or .., and not be the root' },
);

/** A container that the pod may have. */
export const LaunchedContainer = z
  .strictObject({
    /** As Kubernetes has it. */
    name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
    image,
    /** Changes are kept in guest memory, and are gone with the container. */
    rootfs: rootfs.extend({ changes: z.literal('memory') }),
    process,
    stopSignal,
    /** Neither privileged nor with devices. */
    confinement: ContainerConfinement,
    resources,
    tmpfs,
    /** Variables whose values the host may choose. Absent is none. */
    hostEnv: z
      .array(variable)
      .min(1)
      .max(64)
      .refine((names) => ascending(names), { error: 'must be sorted, each once' })
      .optional(),
    /**
     * Where the host may ask for mounts, such as those that Kubernetes adds by itself: the guest
     * mounts nothing of the host there. Absent is nowhere, but at those of `tmpfs`.
     */
    ignoredMounts: z
      .array(cleanPath)
      .min(1)
      .max(64)
      .refine((paths) => ascending(paths), { error: 'must be sorted, each once' })
      .optional(),
    /**
     * Names of the pod's secrets that the container gets; none of them for an empty list. Absent is
     * all. Since revision 16.
     */
    secrets: z
      .array(z.string())
      .max(64)
      .refine((names) => ascending(names), { error: 'must be sorted, each once' })
      .optional(),
  })
  .refine(
    ({ rootfs: { changesBytes = 0 }, resources: { memoryBytes = 0 } }) =>
      changesBytes <= memoryBytes / 2,
    { error: 'must be at most half of resources.memoryBytes', path: ['rootfs', 'changesBytes'] },
  )
  .refine(({ process: { env } }) => distinct(env.map(nameOf)), {
    error: 'must have each variable once',
    path: ['process', 'env'],
  })
  .refine(({ process: { env }, hostEnv = [] }) => distinct([...env.map(nameOf), ...hostEnv]), {
    error: 'must have no variable that has a value',
    path: ['hostEnv'],
  });
/** A validated container of a pod's launch spec. */
export type LaunchedContainer = z.infer<typeof LaunchedContainer>;

export const PodLaunchSpec = z
  .strictObject({
    schema: z.literal(POD_LAUNCH_SPEC_SCHEMA),
    ...{ deployment, hostname, network, shmBytes, domainname, sysctls, hosts, resolver, hostMay },
    /** Limits of all containers together. */
    resources: resources.refine(({ ulimits }) => ulimits === undefined, {
      error: 'ulimits belong to containers',
    }),
    /** Every container waits for all of them, and has those that its own `secrets` name. */
    secrets: secrets.refine((all) => all.every(({ refresh }) => refresh === undefined), {
      error: 'must not be refreshed in a pod',
    }),
    ...{ secretsDeadline, sealing, sealers, broker },
    containers: z
      .array(LaunchedContainer)
      .min(1)
      .max(64)
      .refine((containers) => ascending(containers.map(({ name }) => name)), {
        error: 'must be sorted by name, each once',
      }),
  })
  .refine(({ sealing, sealers }) => sealing !== 'none' || sealers === undefined, {
    error: 'does not belong to a pod that seals nothing',
    path: ['sealers'],
  })
  .refine(
    ({ broker, secrets }) =>
      (broker !== undefined) ===
      (broker?.tokens === true || secrets.some(({ resource }) => resource !== undefined)),
    {
      error: 'must be there where a secret is fetched or a token given, and only there',
      path: ['broker'],
    },
  )
  .refine(({ network, resolver }) => network !== 'none' || resolver === undefined, {
    error: 'does not belong to a pod without a network',
    path: ['resolver'],
  })
  .refine(
    ({ secrets, containers }) =>
      containers.every(({ secrets: own = [] }) =>
        own.every((name) => secrets.some((secret) => secret.name === name)),
      ),
    { error: 'must name no secret that the pod does not have', path: ['containers'] },
  )
  .refine(
    ({ secrets, containers }) =>
      containers.every(({ process: { env }, hostEnv = [], secrets: own }) => {
        const variables = secrets.flatMap(({ name, delivery }) =>
          delivery.kind === 'env' && own?.includes(name) !== false ? [delivery.variable] : [],
        );
        return [...env.map(nameOf), ...hostEnv].every((name) => !variables.includes(name));
      }),
    { error: 'must have no variable that is a secret’s', path: ['containers'] },
  );
/** A validated launch spec of a pod. */
export type PodLaunchSpec = z.infer<typeof PodLaunchSpec>;

/** The text of a pod's launch spec, whose digest is in HOST_DATA. */
export function podLaunchSpecText(spec: PodLaunchSpec): string {
  return canonicalJson(spec);
}

function nameOf(entry: string): string {
  return entry.slice(0, Math.max(0, entry.indexOf('=')));
}

/** Sorted by UTF-16 units, without a repetition. */
function ascending(values: readonly string[]): boolean {
  return values.every((value, index) => index === 0 || (values[index - 1] ?? '') < value);
}

function distinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}
