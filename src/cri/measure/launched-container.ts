/**
 * A container of a manifest as a launch spec has it: what kubelet would ask for, and what it adds
 * by itself.
 *
 * @module
 */
import type { LaunchedContainer } from '@a3s-box/policies';
import { DEFAULT_CONFINEMENT } from '../../boxes/spec/confinement/confinement.ts';
import type { Image, VerityLayer } from '../../images/image.ts';
import { planContainer } from '../../pods/containers/create-container.ts';
import type { Capability } from '../api/messages.ts';
import { invalid, quoted } from '../refusal.ts';
import { capabilitiesOf } from '../security/capabilities.ts';
import { allContainers, type ContainerManifest, type PodManifest } from './pod-manifest.ts';
import { bytesOf, millisOf } from './quantity.ts';

/** Variables of the API server, which kubelet gives every container. */
const API_SERVER = [
  'KUBERNETES_PORT',
  'KUBERNETES_PORT_443_TCP',
  'KUBERNETES_PORT_443_TCP_ADDR',
  'KUBERNETES_PORT_443_TCP_PORT',
  'KUBERNETES_PORT_443_TCP_PROTO',
  'KUBERNETES_SERVICE_HOST',
  'KUBERNETES_SERVICE_PORT',
  'KUBERNETES_SERVICE_PORT_HTTPS',
];
const HOSTS = '/etc/hosts';
const TERMINATION_LOG = '/dev/termination-log';
/** Everybody may write to a volume of Kubernetes. */
const VOLUME_MODE = 0o777;
const NOTHING_ASKED = {
  ...{ cpuPeriod: 0, cpuQuota: 0, cpuShares: 0, memoryLimitInBytes: 0 },
  ...{ memorySwapLimitInBytes: 0, oomScoreAdj: 0, cpusetCpus: '', cpusetMems: '' },
};

export interface ManifestImage {
  readonly image: Pick<Image, 'config' | 'manifestDigest'>;
  readonly layers: readonly VerityLayer[];
}

/** @throws A3sError `invalid-argument` */
export function launchedContainer(
  pod: PodManifest,
  hostname: string,
  asked: ContainerManifest,
  { image, layers }: ManifestImage,
): LaunchedContainer {
  const field = `the container ${quoted(asked.name)}`;
  const { fixed, chosen } = environmentOf(field, asked);
  const { command = [], args = [], workingDir = '' } = asked;
  if ([...command, ...args, ...fixed].some((word) => word.includes('$('))) {
    throw invalid(field, 'kubelet would replace $(…), with values of the host’s choice');
  }
  const terminal = asked.tty === true;
  const confinement = confinementOf(field, pod, asked);
  const resources = resourcesOf(field, asked);
  const { process, stopSignal } = planContainer(
    { hostname },
    {
      ...{ command, args, workingDir, terminal, confinement, resources },
      metadata: { name: asked.name, attempt: 0 },
      env: fixed,
      user: userOf(pod, asked, image.config.user),
      mounts: [],
      stdin: asked.stdin === true,
      stdinOnce: asked.stdinOnce === true,
      readonlyRootfs: asked.securityContext?.readOnlyRootFilesystem === true,
      askedLimits: NOTHING_ASKED,
      ...{ labels: {}, annotations: {}, logPath: '', stopSignal: undefined },
    },
    image,
  );
  const { size: _, ...rest } = process;
  const tmpfs = tmpfsOf(field, pod, asked);
  const own = new Set(process.env.map((entry) => entry.slice(0, entry.indexOf('='))));
  return {
    name: asked.name,
    image: { manifestDigest: image.manifestDigest },
    rootfs: {
      layers: layers.map(({ diffId, bytes, root }) => ({ diffId, bytes, root })),
      changes: 'memory',
      readonly: asked.securityContext?.readOnlyRootFilesystem === true,
    },
    process: { ...rest, env: rest.env.toSorted() },
    ...{ stopSignal, confinement, resources },
    ...(tmpfs.length === 0 ? {} : { tmpfs }),
    hostEnv: [...new Set([...API_SERVER, ...chosen])].filter((name) => !own.has(name)).sort(),
    ignoredMounts: [...new Set([asked.terminationMessagePath ?? TERMINATION_LOG, HOSTS])].sort(),
  };
}

/** The later of two of one name counts, as with kubelet. */
function environmentOf(
  field: string,
  { env = [] }: ContainerManifest,
): { readonly fixed: string[]; readonly chosen: string[] } {
  const fixed = new Map<string, string>();
  const chosen = new Set<string>();
  for (const { name, value, valueFrom } of env) {
    if (/[=\0]/.test(name)) throw invalid(field, `env: ${quoted(name)} is no name`);
    fixed.delete(name);
    chosen.delete(name);
    if (valueFrom === undefined) fixed.set(name, `${name}=${value ?? ''}`);
    else chosen.add(name);
  }
  return { fixed: [...fixed.values()], chosen: [...chosen] };
}

/** Kubelet names the image's user itself, without its group. */
function userOf(
  { securityContext: ofPod = {} }: PodManifest,
  { securityContext: own = {} }: ContainerManifest,
  ofImage: string,
): string {
  const [name = ''] = ofImage.split(':');
  const user = own.runAsUser ?? ofPod.runAsUser ?? (name === '' ? 0 : name);
  const group = own.runAsGroup ?? ofPod.runAsGroup;
  return group === undefined ? `${user}` : `${user}:${group}`;
}

/** @throws A3sError `invalid-argument` where each node would choose the profile */
function confinementOf(
  field: string,
  { securityContext: ofPod = {} }: PodManifest,
  { securityContext: own = {} }: ContainerManifest,
) {
  const profile = own.seccompProfile ?? ofPod.seccompProfile;
  if (profile === undefined) {
    throw invalid(
      field,
      'securityContext.seccompProfile: it is missing, and each node chooses then',
    );
  }
  const { add = [], drop = [] } = own.capabilities ?? {};
  const asked = { addCapabilities: add, dropCapabilities: drop, addAmbientCapabilities: [] };
  const groups = ofPod.supplementalGroups ?? [];
  return {
    capabilities: capabilitiesOf({ $typeName: 'runtime.v1.Capability', ...asked } as Capability),
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    seccomp: profile.type === 'Unconfined' ? ('unconfined' as const) : ('default' as const),
    maskedPaths: [...DEFAULT_CONFINEMENT.maskedPaths],
    readonlyPaths: [...DEFAULT_CONFINEMENT.readonlyPaths],
    ...(groups.length === 0 ? {} : { groups: groups.map(String) }),
    groupsPolicy:
      ofPod.supplementalGroupsPolicy === 'Strict' ? ('strict' as const) : ('merge' as const),
  };
}

function resourcesOf(field: string, { resources: { limits = {} } = {} }: ContainerManifest) {
  const { memory, cpu } = limits;
  return {
    ...(memory === undefined ? {} : { memoryBytes: bytesOf(`${field}: memory`, memory) }),
    ...(cpu === undefined ? {} : { cpuMillis: millisOf(`${field}: cpu`, cpu) }),
  };
}

/** Volumes of one container, which are its guest's memory. */
function tmpfsOf(field: string, pod: PodManifest, { volumeMounts = [] }: ContainerManifest) {
  return volumeMounts
    .map(({ name, mountPath, readOnly = false }) => {
      const volume = (pod.volumes ?? []).find((each) => each.name === name);
      if (volume === undefined) throw invalid(field, `there is no volume ${quoted(name)}`);
      const users = allContainers(pod).flatMap((each) => each.volumeMounts ?? []);
      if (users.filter((each) => each.name === name).length > 1) {
        throw invalid(field, `the volume ${quoted(name)} is mounted more than once`);
      }
      const { sizeLimit } = volume.emptyDir;
      return {
        ...{
          destination: mountPath,
          readonly: readOnly,
          mode: VOLUME_MODE,
          flags: ['exec' as const],
        },
        sizeBytes: sizeLimit === undefined ? 0 : bytesOf(`${field}: sizeLimit`, sizeLimit),
      };
    })
    .sort((a, b) => (a.destination < b.destination ? -1 : 1));
}
