/**
 * The attestation policy: which SEV-SNP guests a relying party trusts.
 *
 * Whatever a policy leaves out has the strict value, and an empty list of what is allowed allows
 * nobody. {@link STRICT_POLICY} leaves everything out: it accepts no guest at all, for it names no
 * measurement.
 *
 * @module
 */
import * as z from 'zod/mini';
import { VULNERABLE_CHIPS } from '../known-vulnerable/known-vulnerable.ts';
import { plainCopy } from '../plain-copy.ts';
import { PolicyError } from '../policy-error.ts';
import { problemsOf } from '../policy-problems.ts';
import {
  chipId,
  closed,
  cspId,
  firmwareVersion,
  flag,
  hex,
  hexOrAny,
  integer,
  integerOrNull,
  list,
  MAX_CHIPS,
  nonZeroHex,
  oneOf,
  unsigned64,
  vulnerableDigest,
} from '../policy-values.ts';
import { digestsOfTwoEngines } from './engine-digests.ts';
import { untrustedIdBlock } from './id-block-trust.ts';
import type { SnpPolicy } from './snp-policy.ts';
import { TCB_MINIMUMS } from './tcb-minimums.ts';
import { markValidated } from './validated.ts';

export { PolicyError, type PolicyErrorCode, type PolicyProblem } from '../policy-error.ts';
export type {
  CrlPolicy,
  PolicyEngine,
  PolicyProduct,
  PolicySigningKey,
  PolicyTee,
  SnpPolicy,
  TcbFloors,
} from './snp-policy.ts';
export { TCB_MINIMUMS, type TcbClass, type TcbFloor, type TcbMinimum } from './tcb-minimums.ts';
export { isAttestationPolicy } from './validated.ts';

/** The value of `schema` in a policy that states one. */
export const ATTESTATION_POLICY_SCHEMA = 'a3s-box/attestation-policy/v1';

const level = integer(0, 0xff);
const levels = { bl: level, tee: level, snp: level, ucode: level };
const floor = z.optional(closed(levels));

const tcbFloors = closed({
  milan: floor,
  genoa: floor,
  bergamo_siena: floor,
  turin: z.optional(closed({ fmc: level, ...levels })),
});

const DEFAULT_FLOORS = {
  milan: TCB_MINIMUMS.milan.minimum,
  genoa: TCB_MINIMUMS.genoa.minimum,
  bergamo_siena: TCB_MINIMUMS.bergamo_siena.minimum,
  turin: TCB_MINIMUMS.turin.minimum,
};

const ABOUT_A_CENTURY = 36_500;

const crl = closed({
  required: flag(true),
  maxAgeDays: z._default(integerOrNull(0, ABOUT_A_CENTURY), 7),
  minNumber: z._default(
    closed({
      Milan: z.optional(unsigned64),
      Genoa: z.optional(unsigned64),
      Turin: z.optional(unsigned64),
    }),
    {},
  ),
});

const document = closed({
  schema: z.optional(oneOf([ATTESTATION_POLICY_SCHEMA])),
  tee: z._default(oneOf(['sev-snp', 'simulated']), 'sev-snp'),
  engines: z._default(list(oneOf(['qemu', 'krun'])), ['qemu']),
  products: z._default(list(oneOf(['Milan', 'Genoa', 'Turin'])), ['Milan', 'Genoa', 'Turin']),
  reportVersions: z._default(list(oneOf([2, 3, 4, 5])), [3, 4, 5]),
  vmpl: z._default(integer(0, 3), 0),
  allowDebug: flag(false),
  allowMigrationAgent: flag(false),
  allowPrivileged: flag(false),
  allowSmt: flag(true),
  allowCxl: flag(false),
  requireSingleSocket: flag(false),
  requireAliasCheck: flag(true),
  requireCiphertextHiding: flag(false),
  requireRaplDisabled: flag(false),
  requireEcc: flag(false),
  requirePageSwapDisabled: flag(false),
  requireMemoryAes256Xts: flag(false),
  requireIommuWriteSafe: flag(false),
  allowTio: flag(false),
  allowUnknownPlatformInfo: z._default(unsigned64, 0n),
  minTcb: z._default(tcbFloors, DEFAULT_FLOORS),
  minLaunchTcb: z.optional(tcbFloors),
  minCommittedTcb: z.optional(tcbFloors),
  permitProvisionalFirmware: flag(false),
  minFirmware: z._default(firmwareVersion, '1.55'),
  minMitigationVector: z._default(unsigned64, 0n),
  signingKeys: z._default(list(oneOf(['VCEK', 'VLEK'])), ['VCEK']),
  cspIds: z._default(list(cspId), []),
  allowMaskedChip: flag(false),
  chipAllow: z.optional(list(chipId, MAX_CHIPS)),
  chipDeny: z._default(list(chipId, MAX_CHIPS), []),
  allowKnownVulnerable: z._default(list(vulnerableDigest), []),
  measurements: z._default(list(hex(48)), []),
  krunMeasurements: z._default(list(hex(48)), []),
  idKeyDigests: z.optional(list(nonZeroHex(48))),
  authorKeyDigests: z.optional(list(nonZeroHex(48))),
  requireIdBlock: flag(false),
  minGuestSvn: z._default(integer(0, 0xffff_ffff), 0),
  familyIds: z.optional(list(hex(16))),
  imageIds: z.optional(list(hex(16))),
  hostData: z.optional(hexOrAny(32)),
  reportData: z.optional(hexOrAny(64)),
  crl: z.prefault(crl, {}),
});

/**
 * The policy that a document states; frozen, and independent of the document.
 *
 * It also accepts its own results, and so `{ ...policy, minTcb }`: values that the first policy
 * left out, the new one leaves out, too. Mappings are plain objects, and only their own keys count.
 *
 * @throws PolicyError `policy-invalid`, with the problems of the document: also for one that asks
 *   for an ID block (`requireIdBlock`, `minGuestSvn`, `familyIds`, `imageIds`) without saying in
 * `idKeyDigests` or `authorKeyDigests` whose, since anybody can sign one; and for one that has a
 *   launch digest of libkrun in `measurements`, too
 */
export function parseAttestationPolicy(input: unknown): SnpPolicy {
  const own = plainCopy(input);
  const result = document.safeParse(own ?? input);
  const contradictions =
    own === undefined ? [] : [...untrustedIdBlock(own), ...digestsOfTwoEngines(own)];
  if (!result.success || contradictions.length > 0) {
    const issues = [...(result.error?.issues ?? []), ...contradictions];
    throw new PolicyError('policy-invalid', problemsOf(own ?? input, issues));
  }
  const { schema: _, ...policy } = result.data;
  return deepFreeze(markValidated<SnpPolicy>({ ...policy, chipDeny: deniedChips(policy) }));
}

/**
 * Beside the chips that a policy denies, every chip whose keys are known to be leaked, unless the
 * policy allows it by name.
 */
function deniedChips(
  policy: Pick<SnpPolicy, 'chipDeny' | 'allowKnownVulnerable'>,
): readonly string[] {
  const all = [...new Set([...policy.chipDeny, ...VULNERABLE_CHIPS])];
  const allowed = (chip: string) =>
    VULNERABLE_CHIPS.includes(chip) && policy.allowKnownVulnerable.includes(chip);
  return all.filter((chip) => !allowed(chip));
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}

/** The policy that leaves everything out: `defaults/attestation-strict.yaml` in words. */
export const STRICT_POLICY: SnpPolicy = parseAttestationPolicy({});
