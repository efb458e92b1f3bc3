/**
 * Computes what a confidential pod of a manifest is, for those who are to trust it: its launch
 * spec, the launch digest, and a policy. Nothing is made.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import {
  type LaunchedContainer,
  POD_LAUNCH_SPEC_SCHEMA,
  PodLaunchSpec,
  podLaunchSpecText,
} from '@a3s-box/policies';
import { sealersOf, secretOf } from '../../boxes/confidential/launch-spec.ts';
import { type Measured, measureLaunch } from '../../boxes/create/measure.ts';
import { authorizeImage } from '../../boxes/policy/authorize-image.ts';
import { namesUsed } from '../../boxes/policy/trust-names.ts';
import type { ConfidentialRequest } from '../../boxes/record/confidential-request.ts';
import { sysctlsOf } from '../../boxes/spec/sysctls.ts';
import { confidentialPodShape } from '../../pods/confidential/confidential-pod-shape.ts';
import { encodeLaunchSpec } from '../../pods/confidential/launch-spec-annotation.ts';
import { podBoot } from '../../pods/confidential/pod-boot.ts';
import type { CriHost } from '../host.ts';
import { invalid } from '../refusal.ts';
import { containerSecrets, isContainerSecrets } from './container-secrets.ts';
import { launchedContainer } from './launched-container.ts';
import {
  allContainers,
  type PodManifest,
  type ReadManifest,
  readManifest,
} from './pod-manifest.ts';
import { togetherOf } from './together.ts';

const PREFIX = 'dev.a3s.';
const LAUNCH_SPEC = `${PREFIX}launch-spec`;

export type MeasuringHost = Pick<CriHost, 'images' | 'boot' | 'registry' | 'shutdown' | 'events'> &
  Parameters<typeof authorizeImage>[0];

export interface MeasuredPod extends Measured {
  /** The manifest, whose pods have the launch spec in an annotation. */
  readonly manifest: Readonly<Record<string, unknown>>;
}

/**
 * @param readOptions reads annotations as those of boxes
 * @throws A3sError `invalid-argument` for what no confidential pod has, `no-such-image`,
 * `image-untrusted`, `known-vulnerable`
 */
export async function measurePod(
  rt: MeasuringHost,
  tee: 'snp' | 'simulate',
  source: string,
  readOptions: (
    annotations: Readonly<Record<string, string>>,
  ) => Promise<ConfidentialRequest | undefined>,
): Promise<MeasuredPod> {
  const manifest = readManifest(source);
  const own = Object.entries(manifest.annotations).filter(
    ([name]) => name.trim().toLowerCase().startsWith(PREFIX) && name !== LAUNCH_SPEC,
  );
  // A box has no such annotation.
  const ofBoxes = own.filter(([name]) => !isContainerSecrets(name));
  const asked = await readOptions({ ...Object.fromEntries(ofBoxes), [`${PREFIX}tee`]: tee });
  if (asked === undefined) throw new TypeError('its secure processor was named');
  checkOptions(asked);
  const spec = await specOf(rt, manifest, asked);
  const bootSet = await rt.boot.current();
  await podBoot(rt, bootSet, spec);
  const text = podLaunchSpecText(spec);
  const measured = await measureLaunch(rt, {
    ...{ tee: asked.tee, spec: text },
    hostData: createHash('sha256').update(text).digest('hex'),
    cpus: confidentialPodShape(spec.resources).cpus,
    bootSet,
    allowKnownVulnerable: [],
  });
  const others = Object.entries(manifest.annotations).filter(
    ([name]) => name !== LAUNCH_SPEC && !own.some(([each]) => each === name),
  );
  const annotations = { ...Object.fromEntries(others), [LAUNCH_SPEC]: encodeLaunchSpec(text) };
  return { ...measured, manifest: manifest.annotated(annotations) };
}

/** @throws A3sError `invalid-argument` for options of boxes that no pod has */
function checkOptions({ changes, bootSet, identity, secrets }: ConfidentialRequest): void {
  const [other] =
    [
      ['changes', changes !== 'memory'],
      ['boot', bootSet !== undefined || identity !== undefined],
      ['secret', secrets.some(({ refresh }) => refresh !== undefined)],
    ].find(([, isAsked]) => isAsked) ?? [];
  if (other === undefined) return;
  throw invalid(`the annotation ${PREFIX}${other}`, 'no pod has what it asks for');
}

async function specOf(
  rt: MeasuringHost,
  { hostname, spec: pod, annotations }: ReadManifest,
  asked: ConfidentialRequest,
): Promise<PodLaunchSpec> {
  const secrets = containerSecrets(annotations, {
    containers: allContainers(pod).map(({ name }) => name),
    secrets: asked.secrets.map(({ name }) => name),
  });
  const containers: LaunchedContainer[] = [];
  for (const container of allContainers(pod)) {
    const image = await rt.images.resolve(container.image);
    const names = namesUsed(container.image, image);
    const subject = { image, reference: container.image, names, confidential: true };
    await authorizeImage(rt, subject);
    const layers = await rt.images.verityLayers(image);
    const own = secrets.get(container.name);
    containers.push({
      ...launchedContainer(pod, hostname, container, { image, layers }),
      ...(own === undefined ? {} : { secrets: [...own] }),
    });
  }
  const parsed = PodLaunchSpec.safeParse({
    schema: POD_LAUNCH_SPEC_SCHEMA,
    ...{ hostname, deployment: asked.deployment, network: 'nic' },
    ...(asked.broker === undefined ? {} : { broker: asked.broker }),
    hostMay: [...new Set(asked.hostMay)].sort(),
    secrets: asked.secrets.map(secretOf).sort((a, b) => (a.name < b.name ? -1 : 1)),
    secretsDeadline: asked.secretsDeadline,
    sealing: asked.sealing,
    ...sealersOf(asked.sealerKeys),
    ...namesOf(pod),
    ...kernelOf(pod),
    resources: togetherOf(pod, containers),
    containers: containers.sort((a, b) => (a.name < b.name ? -1 : 1)),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid('the manifest', `its launch spec’s ${issue?.path.join('.')} ${issue?.message}`);
}

function namesOf({ dnsConfig }: PodManifest): object {
  const { nameservers = [], searches: search = [] } = dnsConfig;
  const options = (dnsConfig.options ?? []).map(({ name, value }) =>
    value === undefined ? name : `${name}:${value}`,
  );
  const given = Object.entries({ nameservers, search, options }).filter(
    ([, list]) => list.length > 0,
  );
  return given.length === 0 ? {} : { resolver: Object.fromEntries(given) };
}

function kernelOf({ securityContext: { sysctls = [] } = {} }: PodManifest): object {
  const asked = Object.fromEntries(sysctls.map(({ name, value }) => [name, value]));
  const settings = sysctlsOf(asked, '').toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return settings.length === 0 ? {} : { sysctls: settings };
}
