/**
 * Serializes the fields of a report to its bytes.
 *
 * For what makes reports: the simulated secure processor and tests.
 *
 * @module
 */
import { fromHex } from '../hex.ts';
import { hexNumber, setFieldUint } from './field.ts';
import { decodeGuestPolicy } from './guest-policy.ts';
import { encodeKeyInfo } from './key-info.ts';
import {
  FIELDS,
  type Field,
  hasCpuid,
  hasMitigationVectors,
  REPORT_SIZE,
  SCALAR_SIZE,
} from './layout.ts';
import { decodePlatformInfo } from './platform-info.ts';
import { productOf } from './product.ts';
import type { FirmwareVersion, ReportClaims } from './report-claims.ts';
import { encodeTcb, tcbLayoutOf } from './tcb.ts';

const UNSIGNED = new Uint8Array(2 * SCALAR_SIZE);

/**
 * Writes a report: the inverse of {@link parseReport}.
 *
 * Whether a verifier would take it is not looked at, so that reports that must be refused can be
 * made as well: any version, policy, VMPL and signature goes.
 *
 * @param signature r and s, 48 bytes each, big-endian; without it both are zero. It is over the
 *   first 0x2a0 bytes of what this function returns, whether with it or without
 * @throws RangeError for a value that does not fit its field, for a field that the version does
 *   not have, for one that is missing, and where bits disagree with the raw value beside them
 */
export function serializeReport(
  claims: ReportClaims,
  signature: Uint8Array = UNSIGNED,
): Uint8Array {
  const report = new Uint8Array(REPORT_SIZE);
  writeNumbers(report, claims);
  writeStrings(report, claims);
  writeTcbs(report, claims);
  writeCpuid(report, claims);
  writeFirmware(report, claims);
  writeMitigationVectors(report, claims);
  writeSignature(report, signature);
  return report;
}

function writeHex(report: Uint8Array, field: Field, text: string): void {
  const bytes = fromHex(text);
  if (bytes?.length !== field.size) {
    throw new RangeError(
      `the field at ${hexNumber(field.offset)} takes ${field.size} bytes, hexadecimal`,
    );
  }
  report.set(bytes, field.offset);
}

function writeNumbers(report: Uint8Array, claims: ReportClaims): void {
  requireSame('policy', claims.policy, decodeGuestPolicy(claims.policy.raw));
  requireSame('platformInfo', claims.platformInfo, decodePlatformInfo(claims.platformInfo.raw));
  setFieldUint(report, FIELDS.VERSION, claims.version);
  setFieldUint(report, FIELDS.GUEST_SVN, claims.guestSvn);
  setFieldUint(report, FIELDS.POLICY, claims.policy.raw);
  setFieldUint(report, FIELDS.VMPL, claims.vmpl);
  setFieldUint(report, FIELDS.SIGNATURE_ALGO, claims.signatureAlgo);
  setFieldUint(report, FIELDS.PLATFORM_INFO, claims.platformInfo.raw);
  setFieldUint(report, FIELDS.KEY_INFO, encodeKeyInfo(claims.keyInfo));
}

function requireSame<T extends object>(what: string, given: T, ofRaw: T): void {
  const bits = new Map<string, unknown>(Object.entries(given));
  for (const [name, value] of Object.entries(ofRaw)) {
    if (bits.get(name) !== value) {
      throw new RangeError(`${what}.${name} disagrees with ${what}.raw`);
    }
  }
}

function writeStrings(report: Uint8Array, claims: ReportClaims): void {
  writeHex(report, FIELDS.FAMILY_ID, claims.familyId);
  writeHex(report, FIELDS.IMAGE_ID, claims.imageId);
  writeHex(report, FIELDS.REPORT_DATA, claims.reportData);
  writeHex(report, FIELDS.MEASUREMENT, claims.measurement);
  writeHex(report, FIELDS.HOST_DATA, claims.hostData);
  writeHex(report, FIELDS.ID_KEY_DIGEST, claims.idKeyDigest);
  writeHex(report, FIELDS.AUTHOR_KEY_DIGEST, claims.authorKeyDigest);
  writeHex(report, FIELDS.REPORT_ID, claims.reportId);
  writeHex(report, FIELDS.REPORT_ID_MA, claims.reportIdMa);
  writeHex(report, FIELDS.CHIP_ID, claims.chipId);
}

function writeTcbs(report: Uint8Array, claims: ReportClaims): void {
  const layout = tcbLayoutOf(claims.cpuid === null ? null : productOf(claims.cpuid));
  report.set(encodeTcb(claims.currentTcb, layout), FIELDS.CURRENT_TCB.offset);
  report.set(encodeTcb(claims.reportedTcb, layout), FIELDS.REPORTED_TCB.offset);
  report.set(encodeTcb(claims.committedTcb, layout), FIELDS.COMMITTED_TCB.offset);
  report.set(encodeTcb(claims.launchTcb, layout), FIELDS.LAUNCH_TCB.offset);
}

function writeCpuid(report: Uint8Array, claims: ReportClaims): void {
  const { cpuid } = claims;
  requirePresence('cpuid', claims, hasCpuid(claims.version));
  if (cpuid === null) return;
  setFieldUint(report, FIELDS.CPUID_FAM_ID, cpuid.family);
  setFieldUint(report, FIELDS.CPUID_MOD_ID, cpuid.model);
  setFieldUint(report, FIELDS.CPUID_STEP, cpuid.stepping);
}

function writeFirmware(report: Uint8Array, claims: ReportClaims): void {
  const write = (version: FirmwareVersion, major: Field, minor: Field, build: Field): void => {
    setFieldUint(report, major, version.major);
    setFieldUint(report, minor, version.minor);
    setFieldUint(report, build, version.build);
  };
  write(claims.currentVersion, FIELDS.CURRENT_MAJOR, FIELDS.CURRENT_MINOR, FIELDS.CURRENT_BUILD);
  write(
    claims.committedVersion,
    FIELDS.COMMITTED_MAJOR,
    FIELDS.COMMITTED_MINOR,
    FIELDS.COMMITTED_BUILD,
  );
}

function writeMitigationVectors(report: Uint8Array, claims: ReportClaims): void {
  const present = hasMitigationVectors(claims.version);
  requirePresence('launchMitVector', claims, present);
  requirePresence('currentMitVector', claims, present);
  setFieldUint(report, FIELDS.LAUNCH_MIT_VECTOR, claims.launchMitVector ?? 0);
  setFieldUint(report, FIELDS.CURRENT_MIT_VECTOR, claims.currentMitVector ?? 0);
}

function requirePresence(
  name: 'cpuid' | 'launchMitVector' | 'currentMitVector',
  claims: ReportClaims,
  present: boolean,
): void {
  if ((claims[name] !== null) !== present) {
    const rule = present ? 'has' : 'has no';
    throw new RangeError(`a report of version ${claims.version} ${rule} ${name}`);
  }
}

function writeSignature(report: Uint8Array, signature: Uint8Array): void {
  if (signature.length !== 2 * SCALAR_SIZE) {
    throw new RangeError(`a signature has ${2 * SCALAR_SIZE} bytes`);
  }
  const little = (from: number) => new Uint8Array(signature.subarray(from, from + SCALAR_SIZE));
  report.set(little(0).reverse(), FIELDS.SIGNATURE_R.offset);
  report.set(little(SCALAR_SIZE).reverse(), FIELDS.SIGNATURE_S.offset);
}
