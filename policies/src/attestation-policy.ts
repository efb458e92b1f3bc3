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
import { PolicyError } from './policy-error.ts';
import { problemsOf } from './policy-problems.ts';
import {
  type ANY_EXPLICIT,
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
} from './policy-values.ts';
import { TCB_MINIMUMS, type TcbClass, type TcbFloor } from './tcb-minimums.ts';

export { PolicyError, type PolicyErrorCode, type PolicyProblem } from './policy-error.ts';
export { TCB_MINIMUMS, type TcbClass, type TcbFloor, type TcbMinimum } from './tcb-minimums.ts';

/** The value of `schema` in a policy that states one. */
export const ATTESTATION_POLICY_SCHEMA = 'a3s-box/attestation-policy/v1';

export type PolicyTee = 'sev-snp' | 'simulated';
export type PolicyProduct = 'Milan' | 'Genoa' | 'Turin';
export type PolicySigningKey = 'VCEK' | 'VLEK';

/** Least TCB of each class; a class that is missing is not accepted. */
export type TcbFloors = { readonly [Class in TcbClass]?: TcbFloor | undefined };

/** What is asked of the revocation list. */
export interface CrlPolicy {
  /** Without a list, nobody is accepted. [true] */
  readonly required: boolean;
  /** Longest time since the relying party got the list; null for any. [7] */
  readonly maxAgeDays: number | null;
  /** Least cRLNumber; a product that is missing has none. [none] */
  readonly minNumber: { readonly [Product in PolicyProduct]?: bigint | undefined };
}

/**
 * A validated policy. Defaults are in brackets; hexadecimal is in lower case.
 *
 * Only {@link parseAttestationPolicy} makes one that can be appraised with.
 */
export interface SnpPolicy {
  /** What the evidence has to be from: hardware, or the simulated secure processor. [sev-snp] */
  readonly tee: PolicyTee;
  /** [all three] */
  readonly products: readonly PolicyProduct[];
  /** Version 2 tells neither the processor nor whether memory aliases were looked for. [3, 4, 5] */
  readonly reportVersions: readonly (2 | 3 | 4 | 5)[];
  /** Level that asked for the report, exactly. [0] */
  readonly vmpl: number;
  /** The host may read and write a debug guest's memory. [false] */
  readonly allowDebug: boolean;
  /** A migration agent may move the guest and its secrets. [false] */
  readonly allowMigrationAgent: boolean;
  /** Sibling threads, by the guest's policy or on the platform. [true] */
  readonly allowSmt: boolean;
  /** CXL devices or memory. [false] */
  readonly allowCxl: boolean;
  readonly requireSingleSocket: boolean;
  /** Memory was searched for aliases at boot (BadRAM, CVE-2024-21944). [true] */
  readonly requireAliasCheck: boolean;
  /** By the guest's policy, and on the platform. [false] */
  readonly requireCiphertextHiding: boolean;
  /** Power readings off, by the guest's policy and on the platform. [false] */
  readonly requireRaplDisabled: boolean;
  /** [false] */
  readonly requireEcc: boolean;
  /** The host may not swap the guest's pages, by the guest's policy. [false] */
  readonly requirePageSwapDisabled: boolean;
  /** Memory is encrypted with AES-256-XTS, by the guest's policy. [false] */
  readonly requireMemoryAes256Xts: boolean;
  /** On Turin, the one product that reports it. [false] */
  readonly requireIommuWriteSafe: boolean;
  /** Trusted I/O on the platform. [false] */
  readonly allowTio: boolean;
  /** Bits of PLATFORM_INFO that may be set although their meaning is not known here. [0] */
  readonly allowUnknownPlatformInfo: bigint;
  /** Of REPORTED_TCB. [{@link TCB_MINIMUMS}] */
  readonly minTcb: TcbFloors;
  /** Of LAUNCH_TCB. [minTcb] */
  readonly minLaunchTcb: TcbFloors;
  /** Of COMMITTED_TCB. [minTcb] */
  readonly minCommittedTcb: TcbFloors;
  /** Firmware that the host may still roll back. [false] */
  readonly permitProvisionalFirmware: boolean;
  /** Of the current and of the committed firmware. [1.55] */
  readonly minFirmware: string;
  /** Bits that LAUNCH_ and CURRENT_MIT_VECTOR must have. [0] */
  readonly minMitigationVector: bigint;
  /** [VCEK] */
  readonly signingKeys: readonly PolicySigningKey[];
  /** Providers whose VLEKs are taken. [none] */
  readonly cspIds: readonly string[];
  /** Reports that do not tell their chip. [false] */
  readonly allowMaskedChip: boolean;
  /** The chips that are taken, 64 bytes each; left out, all are. */
  readonly chipAllow?: readonly string[] | undefined;
  /** Chips that are never taken. [none] */
  readonly chipDeny: readonly string[];
  /** Launch digests; may be empty where {@link idKeyDigests} says who is trusted to choose. [none] */
  readonly measurements: readonly string[];
  /** SHA-384 of the keys that may sign an ID block; left out, it is not looked at. */
  readonly idKeyDigests?: readonly string[] | undefined;
  /** SHA-384 of the keys that may sign an ID key; left out, it is not looked at. */
  readonly authorKeyDigests?: readonly string[] | undefined;
  /** The guest was launched with an ID block. [false] */
  readonly requireIdBlock: boolean;
  /** [0] */
  readonly minGuestSvn: number;
  /** FAMILY_ID of the ID block, 16 bytes; left out, it is not looked at. */
  readonly familyIds?: readonly string[] | undefined;
  /** IMAGE_ID of the ID block, 16 bytes; left out, it is not looked at. */
  readonly imageIds?: readonly string[] | undefined;
  /** 32 bytes; has to be said for anybody to be accepted. */
  readonly hostData?: string | typeof ANY_EXPLICIT | undefined;
  /** 64 bytes; has to be said here or by whoever appraises for anybody to be accepted. */
  readonly reportData?: string | typeof ANY_EXPLICIT | undefined;
  readonly crl: CrlPolicy;
}

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
  products: z._default(list(oneOf(['Milan', 'Genoa', 'Turin'])), ['Milan', 'Genoa', 'Turin']),
  reportVersions: z._default(list(oneOf([2, 3, 4, 5])), [3, 4, 5]),
  vmpl: z._default(integer(0, 3), 0),
  allowDebug: flag(false),
  allowMigrationAgent: flag(false),
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
  measurements: z._default(list(hex(48)), []),
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

const parsed = new WeakSet<object>();

/**
 * The policy that a document states; frozen, and independent of the document.
 *
 * It also takes what it returned, and so `{ ...policy, measurements }`.
 *
 * @throws PolicyError `policy-invalid`, with every problem of the document
 */
export function parseAttestationPolicy(input: unknown): SnpPolicy {
  const result = document.safeParse(input);
  if (!result.success) {
    throw new PolicyError('policy-invalid', problemsOf(input, result.error.issues));
  }
  const { schema: _, ...policy } = result.data;
  const complete: SnpPolicy = {
    ...policy,
    minLaunchTcb: policy.minLaunchTcb ?? policy.minTcb,
    minCommittedTcb: policy.minCommittedTcb ?? policy.minTcb,
  };
  parsed.add(complete);
  return deepFreeze(complete);
}

/**
 * Whether {@link parseAttestationPolicy} made it.
 *
 * An object that only looks like a policy may lack what is required without anybody noticing.
 */
export function isAttestationPolicy(value: object): value is SnpPolicy {
  return parsed.has(value);
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}

/** The policy in which nothing is said: `defaults/attestation-strict.yaml` in words. */
export const STRICT_POLICY: SnpPolicy = parseAttestationPolicy({});
