/**
 * Policies' requirements of a guest's measurement and ID block.
 *
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { toHex } from '../../../attestation/src/hex.ts';
import { signIdBlock } from '../../../attestation/src/measure/id-block/id-sign.ts';
import { measureOvmf } from '../../../attestation/src/measure/measure.ts';
import { affectedLaunch } from '../../../attestation/src/measure/testing/affected-launch.ts';
import { type EvidenceOptions, LAUNCH } from '../processor.ts';
import { bad, type Case, MEASUREMENT, one, type Policy } from './case.ts';

/** A launch with an ID block that these keys sign, new at each run. */
function identified(): { readonly evidence: EvidenceOptions; readonly policy: Policy } {
  const pair = () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey;
  const { idKeyDigest, authorKeyDigest, ...id } = signIdBlock({
    idBlock: {
      launchDigest: Buffer.from(MEASUREMENT, 'hex'),
      familyId: Buffer.from(FAMILY, 'hex'),
      imageId: Buffer.from(IMAGE, 'hex'),
      guestSvn: 3,
      policy: 0x30000n,
    },
    idKey: pair(),
    authorKey: pair(),
  });
  return {
    evidence: { launch: { id: { ...id, authorKeyEnabled: true } } },
    policy: {
      requireIdBlock: true,
      idKeyDigests: [toHex(idKeyDigest)],
      authorKeyDigests: [toHex(authorKeyDigest ?? new Uint8Array(48))],
      minGuestSvn: 3,
      familyIds: [FAMILY],
      imageIds: [IMAGE],
    },
  };
}

/** A launch with the firmware of A3S-2026-0001. */
const AFFECTED = affectedLaunch('simulated', 2);
const AFFECTED_DIGEST = measureOvmf(AFFECTED).digest;

export const KNOWN_VULNERABLE: readonly Case[] = [
  one(
    'known-vulnerable',
    ['known-vulnerable'],
    'The firmware of A3S-2026-0001, by a digest that the policy names.',
    { launch: { inputs: AFFECTED } },
    { measurements: [AFFECTED_DIGEST] },
  ),
  one(
    'known-vulnerable-allowed',
    'accepted',
    'The policy names the exception.',
    { launch: { inputs: AFFECTED } },
    { measurements: [AFFECTED_DIGEST], allowKnownVulnerable: [AFFECTED_DIGEST] },
  ),
];

/** The digest of a launch spec, and the REPORT_DATA that an agent on libkrun made of it. */
const SPEC = toHex(LAUNCH.hostData ?? new Uint8Array(32));
const ON_KRUN: EvidenceOptions = { launch: { hostData: new Uint8Array(32) } };
const KRUN_POLICY: Policy = {
  engines: ['krun'],
  measurements: [],
  krunMeasurements: [MEASUREMENT],
  hostData: SPEC,
};

export const ENGINES: readonly Case[] = [
  one(
    'engine-krun',
    'accepted',
    'A guest of libkrun that the policy takes.',
    ON_KRUN,
    KRUN_POLICY,
    {
      specDigest: SPEC,
    },
  ),
  one(
    'engine-not-said',
    ['engine'],
    'A launch digest of libkrun, and a policy that names no engine.',
    ON_KRUN,
    { ...KRUN_POLICY, engines: undefined },
    { specDigest: SPEC },
  ),
  one(
    'engine-krun-alone',
    ['engine'],
    'A guest of QEMU where only those of libkrun will do.',
    {},
    { engines: ['krun'] },
  ),
  one(
    'engine-krun-as-qemu',
    ['host-data'],
    'The launch digest of libkrun under that of QEMU: HOST_DATA has no launch spec.',
    ON_KRUN,
    { hostData: SPEC },
    { specDigest: SPEC },
  ),
  one(
    'engine-qemu-as-krun',
    ['host-data', 'launch-spec'],
    'The launch digest of QEMU under that of libkrun: REPORT_DATA is over no launch spec.',
    {},
    KRUN_POLICY,
  ),
  one(
    'launch-spec',
    ['launch-spec'],
    'A guest of libkrun with a launch spec that the host chose.',
    ON_KRUN,
    KRUN_POLICY,
    { specDigest: 'cd'.repeat(32) },
  ),
  one('launch-spec-not-said', ['launch-spec'], 'Nobody says a launch spec.', ON_KRUN, KRUN_POLICY),
  one(
    'launch-spec-any',
    'accepted',
    'Any launch spec will do.',
    ON_KRUN,
    { ...KRUN_POLICY, hostData: 'any-explicit' },
    { specDigest: 'cd'.repeat(32) },
  ),
];

const FAMILY = 'fa'.repeat(16);
const IMAGE = '1a'.repeat(16);
const ZERO_ID = '00'.repeat(16);
const SOME_KEY = 'ab'.repeat(48);

export function identityCases(): readonly Case[] {
  const { evidence, policy } = identified();
  return [
    one('id-block', 'accepted', 'An ID block in all its parts.', evidence, policy),
    one('id-block-for-measurement', 'accepted', 'Its key vouches for the measurement.', evidence, {
      ...policy,
      measurements: [],
    }),
    one('id-block-by-author', 'accepted', 'The author alone says whose ID block.', evidence, {
      ...policy,
      idKeyDigests: undefined,
    }),
    one(
      'id-block-missing',
      ['id-block', 'id-key', 'author-key', 'guest-svn', 'family-id', 'image-id'],
      'No ID block where all of it is asked for.',
      {},
      policy,
    ),
    one(
      'id-block-required',
      ['id-block', 'id-key'],
      'No ID block.',
      {},
      { requireIdBlock: true, idKeyDigests: [SOME_KEY] },
    ),
    one('id-key', ['id-key'], 'Another key signed.', evidence, {
      ...policy,
      idKeyDigests: [SOME_KEY],
    }),
    one('id-keys-none', ['id-key'], 'No key is nobody.', evidence, { ...policy, idKeyDigests: [] }),
    one('author-key', ['author-key'], 'Another author vouches for the key.', evidence, {
      ...policy,
      authorKeyDigests: [SOME_KEY],
    }),
    one('guest-svn', ['guest-svn'], 'A version of the guest that is too old.', evidence, {
      ...policy,
      minGuestSvn: 4,
    }),
    one('family-id', ['family-id'], 'Another family.', evidence, {
      ...policy,
      familyIds: [ZERO_ID],
    }),
    one('image-id', ['image-id'], 'Another image.', evidence, {
      ...policy,
      imageIds: [ZERO_ID, FAMILY],
    }),
    one('measurement', ['measurement'], 'Another guest was launched.', bad('other-measurement')),
    one(
      'measurement-of-another',
      ['measurement'],
      'Another guest is allowed.',
      {},
      { measurements: [SOME_KEY] },
    ),
    one(
      'measurement-among-others',
      'accepted',
      'One of several.',
      {},
      { measurements: [SOME_KEY, MEASUREMENT] },
    ),
    one(
      'measurements-none',
      ['measurement'],
      'No measurement is nobody.',
      {},
      { measurements: [] },
    ),
    one('measurement-one-vcpu-more', ['measurement'], 'A guest with a third vCPU.', {
      launch: { inputs: { ...LAUNCH.inputs, vcpus: 3 } },
    }),
    one('measurement-command-line', ['measurement'], 'A guest with another command line.', {
      launch: { inputs: { ...LAUNCH.inputs, append: 'console=ttyS0 ' } },
    }),
  ];
}
