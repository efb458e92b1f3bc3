/**
 * The launch spec of a box. It depends on the request and on the image, and on nothing that the
 * host chooses. So a relying party that has both computes the same text, and the same HOST_DATA, on
 * another host.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { LAUNCH_SPEC_SCHEMA, LaunchSpec, launchSpecText, MAX_LAUNCH_SPEC } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { ConfidentialRequest, SecretRequest } from '../record/confidential-request.ts';
import { mainProcess } from '../spec/box-spec.ts';
import { belowDev, confinementOf } from '../spec/confinement/confinement.ts';
import { memoryMounts } from '../spec/memory-mounts.ts';
import { resourcesOf } from '../spec/resources.ts';
import { sysctlsOf } from '../spec/sysctls.ts';
import { specifiedDirectories } from '../spec/volumes.ts';
import { callerDigest } from './caller-key.ts';
import { type AskedNetworks, hostNetworksOf } from './host-networks.ts';
import { namesOf } from './launch-names.ts';
import { specifiedVolumes } from './sealed-volumes.ts';

/** The host name of a box that was given none. An id would be the host's choice. */
export const DEFAULT_HOSTNAME = 'box';

/** The fields of a definition that the launch spec contains. */
export type SpecifiedBox = Pick<
  BoxDefinition,
  | 'entrypoint'
  | 'cmd'
  | 'env'
  | 'cwd'
  | 'user'
  | 'terminal'
  | 'openStdin'
  | 'hostname'
  | 'memoryBytes'
  | 'nanoCpus'
  | 'limits'
  | 'security'
  | 'network'
> &
  Partial<
    Pick<
      BoxDefinition,
      'init' | 'tmpfs' | 'shmBytes' | 'readonlyRootfs' | 'storage' | 'egress' | 'names'
    >
  > & {
    readonly stopSignal: string;
    readonly endpoints?: AskedNetworks['endpoints'];
    /** Sealed volumes, with their ids. */
    readonly sealedVolumes?: Parameters<typeof specifiedVolumes>[0];
  };

export interface SpecifiedImage {
  readonly manifestDigest: string;
  /** Lowest first. */
  readonly layers: Readonly<LaunchSpec['rootfs']['layers']>;
  /** As the image's configuration has them. Empty where the agent makes no directories of them. */
  readonly volumes: readonly string[];
}

/** @throws A3sError `invalid-argument` for what cannot be in one, `key-invalid`, `too-large` */
export function launchSpecOf(
  box: SpecifiedBox,
  image: SpecifiedImage,
  asked: Pick<
    ConfidentialRequest,
    | 'hostMay'
    | 'secrets'
    | 'broker'
    | 'deployment'
    | 'changes'
    | 'secretsDeadline'
    | 'sealing'
    | 'sealerKeys'
    | 'hostNetworks'
    | 'hostNames'
  >,
): { readonly spec: LaunchSpec; readonly text: string; readonly digest: string } {
  const { size: _, ...process } = mainProcess(box);
  // Clients send it in any order: docker compose in another one each time.
  const env = process.env.toSorted();
  const parsed = LaunchSpec.safeParse({
    schema: LAUNCH_SPEC_SCHEMA,
    deployment: asked.deployment,
    image: { manifestDigest: image.manifestDigest },
    hostname: box.hostname,
    rootfs: {
      layers: image.layers.map(({ diffId, bytes, root }) => ({ diffId, bytes, root })),
      changes: asked.changes,
      ...(box.storage === undefined ? {} : { changesBytes: box.storage.bytes }),
      readonly: box.readonlyRootfs === true,
    },
    process: { ...process, env },
    stopSignal: box.stopSignal,
    network: box.network === 'none' ? 'none' : 'nic',
    confinement: confidentialConfinement(box.security),
    resources: resourcesOf(box),
    hostMay: [...new Set(asked.hostMay)].sort(),
    secrets: asked.secrets.map(secretOf).sort((a, b) => (a.name < b.name ? -1 : 1)),
    secretsDeadline: asked.secretsDeadline,
    sealing: asked.sealing,
    ...sealersOf(asked.sealerKeys),
    ...(asked.broker === undefined ? {} : { broker: asked.broker }),
    ...(box.init === true ? { init: true } : {}),
    ...specifiedDirectories(image.volumes, [...(box.tmpfs ?? []), ...(box.sealedVolumes ?? [])]),
    ...memoryMounts(box),
    ...specifiedVolumes(box.sealedVolumes ?? []),
    ...kernelOf(box.security),
    ...(box.egress === undefined ? {} : { egress: box.egress }),
    ...namesOf(box),
    ...hostNetworksOf(box, asked),
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new A3sError(
      'invalid-argument',
      `Cannot create the box: its launch spec's ${issue?.path.join('.')} ${issue?.message}`,
    );
  }
  const text = specText(parsed.data);
  return { spec: parsed.data, text, digest: createHash('sha256').update(text).digest('hex') };
}

/** A privileged box too says its devices, since the agent loads a driver for one of them. */
function confidentialConfinement(security: SpecifiedBox['security']) {
  const devices = devicesOf(security);
  const { devices: _, ...confinement } = confinementOf(security);
  return { ...confinement, ...(devices.length === 0 ? {} : { devices }) };
}

/** Sorted by their paths, each once. */
function devicesOf({ devices }: SpecifiedBox['security']): readonly string[] {
  return [...new Set(devices.map(belowDev))].sort();
}

function kernelOf({ domainname, sysctls }: SpecifiedBox['security']) {
  const settings = sysctlsOf(sysctls, domainname);
  return {
    ...(domainname === '' ? {} : { domainname }),
    ...(settings.length === 0
      ? {}
      : { sysctls: settings.toSorted((a, b) => (a.path < b.path ? -1 : 1)) }),
  };
}

function specText(spec: LaunchSpec): string {
  let text: string;
  try {
    text = launchSpecText(spec);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('invalid-argument', `Cannot create the box: ${why}`, { cause });
  }
  const size = Buffer.byteLength(text);
  if (size <= MAX_LAUNCH_SPEC) return text;
  throw new A3sError(
    'too-large',
    `Cannot create the box: its launch spec takes ${size} bytes, more than ${MAX_LAUNCH_SPEC}`,
    { remedy: 'Put large values into the image.' },
  );
}

/** @throws A3sError `key-invalid` */
export function sealersOf(keys: readonly string[]): { readonly sealers?: string[] } {
  if (keys.length === 0) return {};
  const digests = keys.map((pem) => callerDigest(pem, 'that is to seal'));
  return { sealers: [...new Set(digests)].sort() };
}

/** @throws A3sError `key-invalid` */
export function secretOf(asked: SecretRequest) {
  const { name, injectorKeys, allowAnyInjector, resource, refresh, variable } = asked;
  const injectors = injectorKeys.map((pem) =>
    callerDigest(pem, `that is to inject the secret ${name}`),
  );
  return {
    name,
    injectors: [...new Set(injectors)].sort(),
    allowAnyInjector,
    ...(resource === undefined ? {} : { resource }),
    ...(refresh === undefined ? {} : { refresh }),
    delivery:
      variable === undefined ? { kind: 'file' as const } : { kind: 'env' as const, variable },
  };
}
