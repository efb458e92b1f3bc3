/**
 * The contents of an attestation policy.
 *
 * @module
 */
import type { ANY_EXPLICIT } from '../policy-values.ts';
import type { TcbClass, TcbFloor } from './tcb-minimums.ts';

/** The source of evidence: the hardware, or the simulated secure processor. */
export type PolicyTee = 'sev-snp' | 'simulated';
/** What launched a guest: each has launch digests of its own scheme. */
export type PolicyEngine = 'qemu' | 'krun';
/** Product lines of processors. */
export type PolicyProduct = 'Milan' | 'Genoa' | 'Turin';
/** Keys that sign reports: a chip's own, or a cloud provider's. */
export type PolicySigningKey = 'VCEK' | 'VLEK';

/** Least TCB of each class; a class that is missing is not accepted. */
export type TcbFloors = { readonly [Class in TcbClass]?: TcbFloor | undefined };

/** The demands on the revocation list. */
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
 * Only `parseAttestationPolicy` makes one that can be appraised with.
 */
export interface SnpPolicy {
  /** The required source of the evidence: hardware, or the simulated secure processor. [sev-snp] */
  readonly tee: PolicyTee;
  /**
   * Engines whose guests are taken. A guest of libkrun-sev has no HOST_DATA, and no hardware has
   * confirmed a launch digest of it yet. [qemu]
   */
  readonly engines: readonly PolicyEngine[];
  /** [all three] */
  readonly products: readonly PolicyProduct[];
  /**
   * Version 2 contains neither the processor nor whether memory aliases were searched for. [3, 4,
   * 5]
   */
  readonly reportVersions: readonly (2 | 3 | 4 | 5)[];
  /** Level that asked for the report, exactly. [0] */
  readonly vmpl: number;
  /** The host may read and write a debug guest's memory. [false] */
  readonly allowDebug: boolean;
  /** A migration agent may move the guest and its secrets. [false] */
  readonly allowMigrationAgent: boolean;
  /**
   * A box whose launch spec makes it privileged: its workload has all of the guest, and so can have
   * reports over any bytes. [false]
   */
  readonly allowPrivileged: boolean;
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
  /** Only Turin reports it, so that no other product is then accepted. [false] */
  readonly requireIommuWriteSafe: boolean;
  /** Trusted I/O on the platform. [false] */
  readonly allowTio: boolean;
  /** Bits of PLATFORM_INFO that may be set although their meaning is not known here. [0] */
  readonly allowUnknownPlatformInfo: bigint;
  /** Of REPORTED_TCB. [`TCB_MINIMUMS`] */
  readonly minTcb: TcbFloors;
  /** Of LAUNCH_TCB; left out, {@link minTcb}. */
  readonly minLaunchTcb?: TcbFloors | undefined;
  /** Of COMMITTED_TCB; left out, {@link minTcb}. */
  readonly minCommittedTcb?: TcbFloors | undefined;
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
  /** Allows reports that mask their chip. [false] */
  readonly allowMaskedChip: boolean;
  /** The chips that are taken, 64 bytes each; left out, all are. */
  readonly chipAllow?: readonly string[] | undefined;
  /**
   * Chips that are never taken. A policy adds to those of the list of what is known to be
   * vulnerable, which are always in it. [those of the list]
   */
  readonly chipDeny: readonly string[];
  /**
   * Exceptions from the list of what is known to be vulnerable, by their exact digests: launch
   * digests, firmware (SHA-256 of the file, or the digest of its pages) or chips. [none]
   */
  readonly allowKnownVulnerable: readonly string[];
  /**
   * Launch digests; may be empty where {@link idKeyDigests} says who is trusted to choose. [none]
   */
  readonly measurements: readonly string[];
  /**
   * Launch digests of libkrun-sev, which decide that a guest is one of libkrun's. None of them is
   * in {@link measurements}. [none]
   */
  readonly krunMeasurements: readonly string[];
  /** SHA-384 of the keys that may sign an ID block; left out, it is not looked at. */
  readonly idKeyDigests?: readonly string[] | undefined;
  /** SHA-384 of the keys that may sign an ID key; left out, it is not looked at. */
  readonly authorKeyDigests?: readonly string[] | undefined;
  /**
   * The guest was launched with an ID block. [false]
   *
   * Anybody can sign one, the host included: this, and each of the three demands below, is only
   * taken beside {@link idKeyDigests} or {@link authorKeyDigests}.
   */
  readonly requireIdBlock: boolean;
  /** GUEST_SVN of the ID block. [0] */
  readonly minGuestSvn: number;
  /** FAMILY_ID of the ID block, 16 bytes; left out, it is not looked at. */
  readonly familyIds?: readonly string[] | undefined;
  /** IMAGE_ID of the ID block, 16 bytes; left out, it is not looked at. */
  readonly imageIds?: readonly string[] | undefined;
  /**
   * 32 bytes. Nothing is accepted unless it is set. Of a guest of libkrun it is the digest of the
   * launch spec that REPORT_DATA has to cover, since HOST_DATA is zero there.
   */
  readonly hostData?: string | typeof ANY_EXPLICIT | undefined;
  /** 64 bytes. Nothing is accepted unless the policy or the caller of the appraisal sets it. */
  readonly reportData?: string | typeof ANY_EXPLICIT | undefined;
  readonly crl: CrlPolicy;
}
