/**
 * The fields of an attestation report, named as the SEV-SNP ABI (AMD 56860, ATTESTATION_REPORT)
 * names them.
 *
 * Byte strings are lower-case hexadecimal, so that claims cannot change once they are made; bit
 * fields keep their raw value beside the bits.
 *
 * @module
 */
import type { Tcb } from './tcb.ts';

/** POLICY: what the guest's owner allowed at launch. */
export interface GuestPolicy {
  readonly raw: bigint;
  /** Least ABI version that the firmware must have. */
  readonly abiMajor: number;
  readonly abiMinor: number;
  readonly smt: boolean;
  readonly migrateMa: boolean;
  readonly debug: boolean;
  readonly singleSocket: boolean;
  readonly cxlAllow: boolean;
  readonly memAes256Xts: boolean;
  readonly raplDis: boolean;
  readonly ciphertextHidingDram: boolean;
  readonly pageSwapDisable: boolean;
}

/** PLATFORM_INFO: what the host's platform has switched on. */
export interface PlatformInfo {
  readonly raw: bigint;
  readonly smtEn: boolean;
  readonly tsmeEn: boolean;
  readonly eccEn: boolean;
  readonly raplDis: boolean;
  readonly ciphertextHidingDramEn: boolean;
  readonly aliasCheckComplete: boolean;
  readonly iommuWriteSafe: boolean;
  readonly tioEn: boolean;
}

/** The kinds of endorsement keys: of one chip, or of one cloud provider. */
export type VekKind = 'VCEK' | 'VLEK';

/** KEY_INFO: which key signed. */
export interface KeyInfo {
  readonly authorKeyEn: boolean;
  readonly maskChipKey: boolean;
  readonly signingKey: VekKind;
}

/** A firmware version. */
export interface FirmwareVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

/** CPUID of the processor, stepping included. */
export interface Cpuid {
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
}

/** Every field of a report. Sizes are in bytes of the field, two digits each. */
export interface ReportClaims {
  readonly version: number;
  readonly guestSvn: number;
  readonly policy: GuestPolicy;
  /** 16 bytes. */
  readonly familyId: string;
  /** 16 bytes. */
  readonly imageId: string;
  readonly vmpl: number;
  readonly signatureAlgo: number;
  readonly currentTcb: Tcb;
  readonly platformInfo: PlatformInfo;
  readonly keyInfo: KeyInfo;
  /** 64 bytes, chosen by the guest. */
  readonly reportData: string;
  /** 48 bytes. */
  readonly measurement: string;
  /** 32 bytes, chosen by the host at launch. */
  readonly hostData: string;
  /** 48 bytes; zero without an ID block. */
  readonly idKeyDigest: string;
  /** 48 bytes. */
  readonly authorKeyDigest: string;
  /** 32 bytes. */
  readonly reportId: string;
  /** 32 bytes; all ones without a migration agent. */
  readonly reportIdMa: string;
  /** The TCB that the signing key stands for. */
  readonly reportedTcb: Tcb;
  /** Null in version 2. */
  readonly cpuid: Cpuid | null;
  /** 64 bytes; zero where masked; Turin: 8 bytes and zeros. */
  readonly chipId: string;
  readonly committedTcb: Tcb;
  readonly currentVersion: FirmwareVersion;
  readonly committedVersion: FirmwareVersion;
  readonly launchTcb: Tcb;
  /** Null before version 5. */
  readonly launchMitVector: bigint | null;
  /** Null before version 5. */
  readonly currentMitVector: bigint | null;
}
