/**
 * A host's request for a container of a confidential pod, and what the pod's launch spec says to
 * it. The agent in the guest decides alike; the host finds out here before anything is made.
 *
 * @module
 */
import * as z from 'zod';
import { Confinement, ProcessSpec, Resources } from './box-spec.ts';
import { type CanonicalValue, canonicalJson } from './canonical-json.ts';
import type { LaunchedContainer, PodLaunchSpec } from './pod-launch-spec.ts';

/** The value of `schema` in every document of this version. */
export const CONTAINER_REQUEST_SCHEMA = 'a3s-box/container-request/v1';

const { capabilities, noNewPrivileges, seccomp, seccompProfile, groups, groupsPolicy } =
  Confinement.shape;
const { memoryBytes, cpuMillis } = Resources.shape;

/** What Kubernetes wants a container to be, without what a node adds by itself. */
export const ContainerRequest = z.strictObject({
  schema: z.literal(CONTAINER_REQUEST_SCHEMA),
  /** Its name in the launch spec. */
  container: z.string(),
  image: z.strictObject({ manifestDigest: z.string() }),
  process: ProcessSpec.omit({ size: true }),
  stopSignal: z.string(),
  confinement: z.strictObject({
    ...{ capabilities, noNewPrivileges, seccomp, seccompProfile, groups, groupsPolicy },
  }),
  readonlyRootfs: z.boolean(),
  resources: z.strictObject({ memoryBytes, cpuMillis }),
  /** Where mounts are asked for. */
  mounts: z.array(z.string()),
});
export type ContainerRequest = z.infer<typeof ContainerRequest>;

/** The value of a variable that a host chooses, in characters. */
const MAX_HOST_VALUE = 4096;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

export type ContainerDecision =
  /** With the entries of the environment that the host chooses, sorted by name. */
  | { readonly permitted: true; readonly chosenEnv: readonly string[] }
  /** With the field of the launch spec that decided. */
  | { readonly permitted: false; readonly rule: string; readonly reason: string };

/** What the launch spec says to a request, as the agent does. */
export function decideContainer(spec: PodLaunchSpec, asked: ContainerRequest): ContainerDecision {
  const named = spec.containers.find(({ name }) => name === asked.container);
  if (named === undefined) {
    const name = JSON.stringify(asked.container.slice(0, 64));
    return refused('', `it names no container ${name}`);
  }
  const [different] = FIELDS.find(([, same]) => !same(named, asked)) ?? [];
  if (different !== undefined) {
    return refused(`.${different}`, 'it is another one than was asked for');
  }
  return decideMounts(named, asked) ?? decideEnv(named, asked);
}

type Comparison = (named: LaunchedContainer, asked: ContainerRequest) => boolean;

/** In the agent's order, since the first field that differs is named. */
const FIELDS: readonly (readonly [field: string, same: Comparison])[] = [
  ['image', (own, asked) => own.image.manifestDigest === asked.image.manifestDigest],
  ['process.args', (own, asked) => same(own.process.args, asked.process.args)],
  ['process.cwd', (own, asked) => own.process.cwd === asked.process.cwd],
  ['process.user', (own, asked) => own.process.user === asked.process.user],
  ['process.terminal', (own, asked) => own.process.terminal === asked.process.terminal],
  ['process.stdin', (own, asked) => own.process.stdin === asked.process.stdin],
  ['stopSignal', (own, asked) => own.stopSignal === asked.stopSignal],
  [
    'confinement.capabilities',
    ({ confinement: own }, { confinement: asked }) =>
      same(own.capabilities.toSorted(), asked.capabilities.toSorted()),
  ],
  [
    'confinement.noNewPrivileges',
    (own, asked) => own.confinement.noNewPrivileges === asked.confinement.noNewPrivileges,
  ],
  ['confinement.seccomp', (own, asked) => own.confinement.seccomp === asked.confinement.seccomp],
  [
    'confinement.seccompProfile',
    ({ confinement: own }, { confinement: asked }) =>
      same(own.seccompProfile, asked.seccompProfile),
  ],
  [
    'confinement.groups',
    ({ confinement: own }, { confinement: asked }) => same(own.groups ?? [], asked.groups ?? []),
  ],
  [
    'confinement.groupsPolicy',
    (own, asked) => own.confinement.groupsPolicy === asked.confinement.groupsPolicy,
  ],
  ['rootfs.readonly', (own, asked) => own.rootfs.readonly === asked.readonlyRootfs],
  [
    'resources.memoryBytes',
    (own, asked) => own.resources.memoryBytes === asked.resources.memoryBytes,
  ],
  ['resources.cpuMillis', (own, asked) => own.resources.cpuMillis === asked.resources.cpuMillis],
];

function same(own: CanonicalValue | undefined, asked: CanonicalValue | undefined): boolean {
  if (own === undefined || asked === undefined) return own === asked;
  return canonicalJson(own) === canonicalJson(asked);
}

function decideMounts(
  { ignoredMounts = [], tmpfs = [] }: LaunchedContainer,
  { mounts }: ContainerRequest,
): ContainerDecision | undefined {
  const own = [...ignoredMounts, ...tmpfs.map(({ destination }) => destination)];
  const other = mounts.find((destination) => !own.includes(destination));
  if (other === undefined) return undefined;
  const place = JSON.stringify(other.slice(0, 256));
  return refused('.ignoredMounts', `nothing of the host is mounted at ${place}`);
}

function decideEnv(
  { process, hostEnv = [] }: LaunchedContainer,
  { process: { env } }: ContainerRequest,
): ContainerDecision {
  const seen = new Set<string>();
  const chosen: [name: string, entry: string][] = [];
  let found = 0;
  for (const entry of env) {
    const end = entry.indexOf('=');
    const name = end === -1 ? entry : entry.slice(0, end);
    const shown = JSON.stringify(name.slice(0, 128));
    if (end < 1 || seen.has(name)) {
      const reason = `the variable ${shown} is no variable, or is given twice`;
      return refused('.process.env', reason);
    }
    seen.add(name);
    if (process.env.includes(entry)) {
      found += 1;
      continue;
    }
    if (!hostEnv.includes(name)) {
      return refused('.process.env', `it has no variable ${shown} of that value`);
    }
    const value = entry.slice(end + 1);
    if ([...value].length > MAX_HOST_VALUE || CONTROL.test(value)) {
      const reason = `the value of ${shown} is too long, or has a control character`;
      return refused('.hostEnv', reason);
    }
    chosen.push([name, entry]);
  }
  if (found < process.env.length) {
    return refused('.process.env', 'a variable of it was not asked for');
  }
  const sorted = chosen.sort(([a], [b]) => (a < b ? -1 : 1));
  return { permitted: true, chosenEnv: sorted.map(([, entry]) => entry) };
}

function refused(field: string, reason: string): ContainerDecision {
  return { permitted: false, rule: `containers${field}`, reason };
}
