/**
 * Computes what a box would be, for those who are to trust it. The values come from image and boot
 * set, and nothing is made. A relying party that has both gets the very values that a run of the
 * same request is launched with.
 *
 * @module
 */
import type { LaunchRecord } from '@a3s-box/attestation/measure';
import { ATTESTATION_POLICY_SCHEMA } from '@a3s-box/policies/attestation-policy';
import { findVulnerable } from '@a3s-box/policies/known-vulnerable';
import type { ConfidentialBoot } from '../../boot/bootset.ts';
import { knownVulnerable } from '../../boot/vulnerable.ts';
import type { Tee } from '../../engine/vm/confidential-launch.ts';
import { A3sError } from '../../errors.ts';
import { checkConfidential } from '../confidential/check.ts';
import { confidentialBoot, planConfidential } from '../confidential/launch-plan.ts';
import { DEFAULT_HOSTNAME } from '../confidential/launch-spec.ts';
import { launchRecordFor } from '../confidential/measurement.ts';
import { checkSealed, withIds } from '../confidential/sealed-volumes.ts';
import { hostDataOfBox } from '../record/confidential.ts';
import { EVIDENCE_TEE } from '../record/tee-names.ts';
import type { Services } from '../services/services.ts';
import { checkEgress } from '../spec/egress.ts';
import { askedCpus, vmCpus } from '../spec/resources.ts';
import { foreignArchitecture } from './architecture.ts';
import { checkSpec } from './check-spec.ts';
import type { CreateRequest } from './create-request.ts';
import { checkEgressSecrets } from './egress-secrets.ts';
import { planBox } from './plan.ts';

export interface Measured {
  /** Launch digest: 96 hexadecimal digits. */
  readonly measurement: string;
  /** SHA-256 of the launch spec's text, which a privileged box has a mark in. */
  readonly hostData: string;
  /** The text. */
  readonly spec: string;
  readonly launch: LaunchRecord;
  /** An attestation policy that accepts this box and no other. */
  readonly policy: Readonly<Record<string, unknown>>;
  readonly bootSet: string;
  /** POLICY of the launch, with `0x`. */
  readonly guestPolicy: string;
}

/**
 * @param allowKnownVulnerable digests that a policy excepts from the list of vulnerable launches
 * @throws A3sError as `createBox` does for the same request, except for what depends on this host
 */
export async function measureBox(
  rt: Pick<Services, 'boot' | 'host' | 'images'>,
  request: CreateRequest,
  allowKnownVulnerable: readonly string[] = [],
): Promise<Measured> {
  const asked = request.confidential;
  if (asked === undefined) {
    throw new A3sError(
      'invalid-argument',
      'Cannot measure a plain box: only a confidential box has a launch measurement',
      {
        remedy: 'Name the secure processor: --tee snp, or --tee simulate.',
      },
    );
  }
  checkEgress(request);
  checkEgressSecrets(request);
  checkConfidential(request, asked);
  checkSealed(request.volumeMounts, asked);
  const sealedVolumes = withIds(undefined, request.volumeMounts);
  const image = await rt.images.resolve(request.image);
  foreignArchitecture(image, rt.host, request);
  const planned = planBox(request, image);
  const hostname = request.hostname ?? DEFAULT_HOSTNAME;
  checkSpec({ ...planned, hostname }, image.config);
  const bootSet = await rt.boot.current(asked.bootSet);
  const { confidential } = await planConfidential(rt, {
    planned: { ...planned, sealedVolumes, endpoints: request.endpoints },
    ...{ hostname, asked, image, bootSet },
    allowKnownVulnerable,
  });
  if (confidential === undefined) throw new TypeError('what was planned is confidential');
  const { tee, launchSpec, privileged } = confidential;
  return await measureLaunch(rt, {
    ...{ tee, privileged, bootSet, allowKnownVulnerable },
    spec: launchSpec,
    hostData: hostDataOfBox(confidential),
    cpus: vmCpus(askedCpus(request)),
  });
}

/** A launch spec, and the size of the microVM that takes it. */
export interface SpecifiedLaunch {
  readonly tee: Tee;
  readonly spec: string;
  readonly hostData: string;
  readonly cpus: number;
  readonly bootSet: string;
  readonly privileged?: boolean | undefined;
  readonly allowKnownVulnerable: readonly string[];
}

/** @throws A3sError `boot-set-missing`, `known-vulnerable` */
export async function measureLaunch(
  rt: Pick<Services, 'boot'>,
  { tee, spec, hostData, cpus, bootSet, privileged, allowKnownVulnerable }: SpecifiedLaunch,
): Promise<Measured> {
  const boot = await confidentialBoot(rt, bootSet, allowKnownVulnerable);
  const launch = await launchRecordFor(boot, { tee, cpus, privileged });
  const exception = exceptionFor(launch.digest, boot, allowKnownVulnerable);
  return {
    measurement: launch.digest,
    hostData,
    spec,
    launch,
    policy: {
      schema: ATTESTATION_POLICY_SCHEMA,
      tee: EVIDENCE_TEE[tee],
      measurements: [launch.digest],
      hostData,
      vmpl: 0,
      ...(privileged === true ? { allowPrivileged: true } : {}),
      ...exception,
      // Simulated keys are not revoked.
      ...(tee === 'simulated' ? { crl: { required: false } } : {}),
    },
    bootSet,
    guestPolicy: `0x${boot.policy.toString(16)}`,
  };
}

/**
 * The exception that the policy needs where the launch is known to be vulnerable. The caller must
 * have excepted the launch's digest, or the digest of its firmware.
 *
 * @throws A3sError `known-vulnerable`
 */
function exceptionFor(
  digest: string,
  { firmwareDigest }: ConfidentialBoot,
  allowed: readonly string[],
): { allowKnownVulnerable?: readonly string[] } {
  const entry = findVulnerable('launch', digest);
  if (entry === undefined) return {};
  if (![digest, firmwareDigest].some((one) => allowed.includes(one))) {
    throw knownVulnerable('measure the box', entry);
  }
  return { allowKnownVulnerable: [digest] };
}
