/**
 * A manifest of Kubernetes, as far as confidential pods can have what is in it. What is not named
 * here is refused by its name: it could change what runs.
 *
 * @module
 */
import { PolicyError, readPolicyDocument } from '@a3s-box/policies/document';
import * as z from 'zod';
import { invalid, quoted } from '../refusal.ts';

const text = z.string().max(4096);
const id = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const quantity = z.union([z.string().max(64), z.int().min(0)]);
/** What decides where and when a pod runs, and not what it is. */
const anything = z.unknown().optional();

const SeccompProfile = z.strictObject({ type: z.enum(['RuntimeDefault', 'Unconfined']) });

const ContainerSecurity = z.strictObject({
  runAsUser: id.optional(),
  runAsGroup: id.optional(),
  runAsNonRoot: z.boolean().optional(),
  allowPrivilegeEscalation: z.boolean().optional(),
  readOnlyRootFilesystem: z.boolean().optional(),
  privileged: z.literal(false).optional(),
  capabilities: z
    .strictObject({ add: z.array(text).max(64).optional(), drop: z.array(text).max(64).optional() })
    .optional(),
  seccompProfile: SeccompProfile.optional(),
});

const Variable = z.strictObject({
  name: z.string().min(1).max(128),
  value: z.union([z.string().max(131_072), z.int(), z.boolean()]).optional(),
  valueFrom: z
    .strictObject({ fieldRef: anything.optional(), resourceFieldRef: anything.optional() })
    .optional(),
});

const Container = z.strictObject({
  name: z.string().max(63),
  image: z.string().min(1).max(512),
  command: z.array(z.string()).max(1024).optional(),
  args: z.array(z.string()).max(1024).optional(),
  workingDir: text.optional(),
  env: z.array(Variable).max(1024).optional(),
  resources: z
    .strictObject({
      limits: z.strictObject({ memory: quantity.optional(), cpu: quantity.optional() }).optional(),
      requests: anything,
    })
    .partial()
    .optional(),
  securityContext: ContainerSecurity.optional(),
  volumeMounts: z
    .array(
      z.strictObject({
        ...{ name: text, mountPath: text },
        readOnly: z.boolean().optional(),
      }),
    )
    .max(64)
    .optional(),
  terminationMessagePath: text.optional(),
  stdin: z.boolean().optional(),
  stdinOnce: z.boolean().optional(),
  tty: z.boolean().optional(),
  ...{ ports: anything, imagePullPolicy: anything, terminationMessagePolicy: anything },
  ...{ livenessProbe: anything, readinessProbe: anything, startupProbe: anything },
});

/** It runs before the others, or with `Always` beside them. */
const InitContainer = Container.extend({ restartPolicy: z.literal('Always').optional() });

const EmptyDir = z.strictObject({ medium: text.optional(), sizeLimit: quantity.optional() });

const Spec = z.strictObject({
  hostname: z.string().optional(),
  containers: z.array(Container).min(1).max(64),
  initContainers: z.array(InitContainer).max(64).optional(),
  volumes: z
    .array(z.strictObject({ name: text, emptyDir: EmptyDir }))
    .max(64)
    .optional(),
  /** Its token would be a file of the host. */
  automountServiceAccountToken: z.literal(false),
  /** Kubernetes would add variables for every service. */
  enableServiceLinks: z.literal(false),
  /** Any other policy has servers that the node chooses. */
  dnsPolicy: z.literal('None'),
  dnsConfig: z.strictObject({
    nameservers: z.array(text).max(16).optional(),
    searches: z.array(text).max(32).optional(),
    options: z
      .array(z.strictObject({ name: text, value: text.optional() }))
      .max(32)
      .optional(),
  }),
  securityContext: z
    .strictObject({
      runAsUser: id.optional(),
      runAsGroup: id.optional(),
      runAsNonRoot: z.boolean().optional(),
      supplementalGroups: z.array(id).max(64).optional(),
      supplementalGroupsPolicy: z.enum(['Merge', 'Strict']).optional(),
      seccompProfile: SeccompProfile.optional(),
      sysctls: z
        .array(z.strictObject({ name: text, value: text }))
        .max(64)
        .optional(),
    })
    .optional(),
  ...{
    restartPolicy: anything,
    terminationGracePeriodSeconds: anything,
    runtimeClassName: anything,
  },
  ...{ nodeSelector: anything, nodeName: anything, affinity: anything, tolerations: anything },
  ...{ serviceAccountName: anything, imagePullSecrets: anything, schedulerName: anything },
  ...{ priorityClassName: anything, topologySpreadConstraints: anything },
  activeDeadlineSeconds: anything,
});
export type PodManifest = z.infer<typeof Spec>;
export type ContainerManifest = PodManifest['containers'][number];

/** All that a pod may have, those that run before others first. */
export function allContainers({
  initContainers = [],
  containers,
}: PodManifest): ContainerManifest[] {
  return [...initContainers, ...containers];
}

const Annotations = z.record(z.string().max(512), z.string().max(256 * 1024));

/** Parts of other kinds are passed on as they are. */
const Pod = z.looseObject({
  kind: z.literal('Pod'),
  metadata: z.looseObject({ name: z.string(), annotations: Annotations.optional() }),
  spec: Spec,
});
const Workload = z.looseObject({
  kind: z.enum(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job']),
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({ annotations: Annotations.optional() }).optional(),
      spec: Spec,
    }),
  }),
});
const Manifest = z.discriminatedUnion('kind', [Pod, Workload]);
type Manifest = z.infer<typeof Manifest>;

export interface ReadManifest {
  readonly hostname: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodManifest;
  /** The manifest, with other annotations of its pods. */
  readonly annotated: (annotations: Readonly<Record<string, string>>) => Record<string, unknown>;
}

/** @throws A3sError `invalid-argument` with the field that no confidential pod has */
export function readManifest(source: string): ReadManifest {
  const parsed = Manifest.safeParse(documentOf(source));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid('the manifest', `${issue?.path.join('.')}: ${issue?.message}`);
  }
  const manifest = parsed.data;
  const template = manifest.kind === 'Pod' ? manifest : manifest.spec.template;
  return {
    hostname: hostnameOf(manifest, template.spec),
    annotations: template.metadata?.annotations ?? {},
    spec: template.spec,
    annotated: (annotations) => {
      const metadata = { ...template.metadata, annotations };
      if (manifest.kind === 'Pod') return { ...manifest, metadata };
      const changed = { ...manifest.spec.template, metadata };
      return { ...manifest, spec: { ...manifest.spec, template: changed } };
    },
  };
}

/** Pods of a workload have a name each, which Kubernetes makes. */
function hostnameOf(manifest: Manifest, { hostname }: PodManifest): string {
  if (hostname !== undefined) return hostname;
  if (manifest.kind === 'Pod') return manifest.metadata.name;
  throw invalid(
    'the manifest',
    `spec.template.spec.hostname: it is missing, and each pod of a ${manifest.kind} has another name`,
  );
}

function documentOf(source: string): unknown {
  try {
    return readPolicyDocument(source);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const [problem] = error.problems;
    const at = problem?.line === undefined ? '' : `line ${problem.line}: `;
    throw invalid('the manifest', `${at}${quoted(problem?.message ?? '')}`);
  }
}
