/**
 * The fields of a report whose bytes have been checked.
 *
 * @module
 */

import { fieldBytes, fieldHex, fieldUint8, fieldUint32, fieldUint64 } from './field.ts';
import { decodeGuestPolicy } from './guest-policy.ts';
import { decodeKeyInfo } from './key-info.ts';
import { FIELDS, type Field, hasCpuid, hasMitigationVectors } from './layout.ts';
import { decodePlatformInfo } from './platform-info.ts';
import type { Product } from './product.ts';
import type { Cpuid, FirmwareVersion, ReportClaims } from './report-claims.ts';
import { decodeTcb, type Tcb, tcbLayoutOf } from './tcb.ts';

/** Every field, frozen throughout; {@link checkReport} has returned the product. */
export function decodeClaims(report: Uint8Array, product: Product | null): ReportClaims {
  const hex = (field: Field) => fieldHex(report, field);
  const version = fieldUint32(report, FIELDS.VERSION);
  return Object.freeze({
    version,
    guestSvn: fieldUint32(report, FIELDS.GUEST_SVN),
    policy: decodeGuestPolicy(fieldUint64(report, FIELDS.POLICY)),
    familyId: hex(FIELDS.FAMILY_ID),
    imageId: hex(FIELDS.IMAGE_ID),
    vmpl: fieldUint32(report, FIELDS.VMPL),
    signatureAlgo: fieldUint32(report, FIELDS.SIGNATURE_ALGO),
    platformInfo: decodePlatformInfo(fieldUint64(report, FIELDS.PLATFORM_INFO)),
    keyInfo: decodeKeyInfo(fieldUint32(report, FIELDS.KEY_INFO)),
    reportData: hex(FIELDS.REPORT_DATA),
    measurement: hex(FIELDS.MEASUREMENT),
    hostData: hex(FIELDS.HOST_DATA),
    idKeyDigest: hex(FIELDS.ID_KEY_DIGEST),
    authorKeyDigest: hex(FIELDS.AUTHOR_KEY_DIGEST),
    reportId: hex(FIELDS.REPORT_ID),
    reportIdMa: hex(FIELDS.REPORT_ID_MA),
    cpuid: hasCpuid(version) ? decodeCpuid(report) : null,
    chipId: hex(FIELDS.CHIP_ID),
    ...decodeTcbs(report, product),
    ...decodeFirmware(report),
    ...decodeMitigationVectors(report, version),
  });
}

function decodeCpuid(report: Uint8Array): Cpuid {
  return Object.freeze({
    family: fieldUint8(report, FIELDS.CPUID_FAM_ID),
    model: fieldUint8(report, FIELDS.CPUID_MOD_ID),
    stepping: fieldUint8(report, FIELDS.CPUID_STEP),
  });
}

type TcbClaims = Pick<ReportClaims, 'currentTcb' | 'reportedTcb' | 'committedTcb' | 'launchTcb'>;

function decodeTcbs(report: Uint8Array, product: Product | null): TcbClaims {
  const layout = tcbLayoutOf(product);
  const tcb = (field: Field): Tcb => decodeTcb(fieldBytes(report, field), layout);
  return {
    currentTcb: tcb(FIELDS.CURRENT_TCB),
    reportedTcb: tcb(FIELDS.REPORTED_TCB),
    committedTcb: tcb(FIELDS.COMMITTED_TCB),
    launchTcb: tcb(FIELDS.LAUNCH_TCB),
  };
}

type FirmwareClaims = Pick<ReportClaims, 'currentVersion' | 'committedVersion'>;

function decodeFirmware(report: Uint8Array): FirmwareClaims {
  const version = (major: Field, minor: Field, build: Field): FirmwareVersion =>
    Object.freeze({
      major: fieldUint8(report, major),
      minor: fieldUint8(report, minor),
      build: fieldUint8(report, build),
    });
  return {
    currentVersion: version(FIELDS.CURRENT_MAJOR, FIELDS.CURRENT_MINOR, FIELDS.CURRENT_BUILD),
    committedVersion: version(
      FIELDS.COMMITTED_MAJOR,
      FIELDS.COMMITTED_MINOR,
      FIELDS.COMMITTED_BUILD,
    ),
  };
}

type MitigationClaims = Pick<ReportClaims, 'launchMitVector' | 'currentMitVector'>;

function decodeMitigationVectors(report: Uint8Array, version: number): MitigationClaims {
  if (!hasMitigationVectors(version)) return { launchMitVector: null, currentMitVector: null };
  return {
    launchMitVector: fieldUint64(report, FIELDS.LAUNCH_MIT_VECTOR),
    currentMitVector: fieldUint64(report, FIELDS.CURRENT_MIT_VECTOR),
  };
}
