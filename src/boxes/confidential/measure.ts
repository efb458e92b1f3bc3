/**
 * What a box would be, to those who are to trust it: computed from image and boot set, without making anything. A relying
 * party that has both gets the very values that a run of the same request is launched with.
 *
 * @module
 */
import type { LaunchRecord } from '@a3s-box/attestation/measure';
import { ATTESTATION_POLICY_SCHEMA } from '@a3s-box/policies/attestation-policy';
import { A3sError } from '../../errors.ts';
import { checkSpec } from '../check-spec.ts';
import type { CreateRequest } from '../create-request.ts';
import { planBox } from '../plan.ts';
import { askedCpus, machineCpus } from '../resources.ts';
import type { Runtime } from '../runtime.ts';
import { checkConfidential } from './check.ts';
import { DEFAULT_HOSTNAME } from './launch-spec.ts';
import { launchRecordFor } from './measurement.ts';
import { confidentialBoot, planConfidential } from './plan.ts';
import { EVIDENCE_TEE } from './show.ts';

export interface Measured {
  /** Launch digest: 96 hexadecimal digits. */
  readonly measurement: string;
  /** SHA-256 of the launch spec's text. */
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

/** @throws A3sError as `createBox` does for the same request, but for what depends on this host */
export async function measureBox(
  rt: Pick<Runtime, 'boot' | 'images'>,
  request: CreateRequest,
): Promise<Measured> {
  const asked = request.confidential;
  if (asked === undefined) {
    throw new A3sError('invalid-argument', 'Cannot measure a plain box: nothing vouches for it', {
      remedy: 'Say what is to answer for it: --tee snp, or --tee simulate.',
    });
  }
  checkConfidential(request, asked);
  const image = await rt.images.resolve(request.image);
  const hostname = request.hostname ?? DEFAULT_HOSTNAME;
  checkSpec({ ...planBox(request, image), hostname }, image.config);
  const bootSet = await rt.boot.current(asked.bootSet);
  const { confidential } = await planConfidential(rt, { request, asked, image, bootSet });
  if (confidential === undefined) throw new TypeError('what was planned is confidential');
  const boot = await confidentialBoot(rt, bootSet);
  const { tee, specDigest, launchSpec } = confidential;
  const launch = await launchRecordFor(boot, { tee, cpus: machineCpus(askedCpus(request)) });
  return {
    measurement: launch.digest,
    hostData: specDigest,
    spec: launchSpec,
    launch,
    policy: {
      schema: ATTESTATION_POLICY_SCHEMA,
      tee: EVIDENCE_TEE[tee],
      measurements: [launch.digest],
      hostData: specDigest,
      vmpl: 0,
      // Nobody revokes simulated keys.
      ...(tee === 'simulated' ? { crl: { required: false } } : {}),
    },
    bootSet,
    guestPolicy: `0x${boot.policy.toString(16)}`,
  };
}
