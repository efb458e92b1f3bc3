/**
 * Where the fields of an attestation report lie (AMD 56860, ATTESTATION_REPORT).
 *
 * Numbers are little-endian. Names are those of the ABI.
 *
 * @module
 */

/** Bytes of a report. */
export const REPORT_SIZE = 0x4a0;

/** The signature is over this many bytes from the start. */
export const SIGNED_SIZE = 0x2a0;

/** Bytes of a number of the signature that P-384 can fill; those behind it are zero. */
export const SCALAR_SIZE = 48;

/** A run of bytes of the report. */
export interface Field {
  readonly offset: number;
  readonly size: number;
}

/** Fields that every version has, and those that a later one has put in place of zeros. */
export const FIELDS = {
  VERSION: { offset: 0x000, size: 4 },
  GUEST_SVN: { offset: 0x004, size: 4 },
  POLICY: { offset: 0x008, size: 8 },
  FAMILY_ID: { offset: 0x010, size: 16 },
  IMAGE_ID: { offset: 0x020, size: 16 },
  VMPL: { offset: 0x030, size: 4 },
  SIGNATURE_ALGO: { offset: 0x034, size: 4 },
  CURRENT_TCB: { offset: 0x038, size: 8 },
  PLATFORM_INFO: { offset: 0x040, size: 8 },
  KEY_INFO: { offset: 0x048, size: 4 },
  REPORT_DATA: { offset: 0x050, size: 64 },
  MEASUREMENT: { offset: 0x090, size: 48 },
  HOST_DATA: { offset: 0x0c0, size: 32 },
  ID_KEY_DIGEST: { offset: 0x0e0, size: 48 },
  AUTHOR_KEY_DIGEST: { offset: 0x110, size: 48 },
  REPORT_ID: { offset: 0x140, size: 32 },
  REPORT_ID_MA: { offset: 0x160, size: 32 },
  REPORTED_TCB: { offset: 0x180, size: 8 },
  /** Since version 3. */
  CPUID_FAM_ID: { offset: 0x188, size: 1 },
  /** Since version 3. */
  CPUID_MOD_ID: { offset: 0x189, size: 1 },
  /** Since version 3. */
  CPUID_STEP: { offset: 0x18a, size: 1 },
  CHIP_ID: { offset: 0x1a0, size: 64 },
  COMMITTED_TCB: { offset: 0x1e0, size: 8 },
  CURRENT_BUILD: { offset: 0x1e8, size: 1 },
  CURRENT_MINOR: { offset: 0x1e9, size: 1 },
  CURRENT_MAJOR: { offset: 0x1ea, size: 1 },
  COMMITTED_BUILD: { offset: 0x1ec, size: 1 },
  COMMITTED_MINOR: { offset: 0x1ed, size: 1 },
  COMMITTED_MAJOR: { offset: 0x1ee, size: 1 },
  LAUNCH_TCB: { offset: 0x1f0, size: 8 },
  /** Since version 5. */
  LAUNCH_MIT_VECTOR: { offset: 0x1f8, size: 8 },
  /** Since version 5. */
  CURRENT_MIT_VECTOR: { offset: 0x200, size: 8 },
  SIGNATURE: { offset: 0x2a0, size: 512 },
  SIGNATURE_R: { offset: 0x2a0, size: 72 },
  SIGNATURE_S: { offset: 0x2e8, size: 72 },
  /** What the signature's 512 bytes have left. */
  SIGNATURE_RESERVED: { offset: 0x330, size: 368 },
} as const satisfies Readonly<Record<string, Field>>;

/** Zero in every version. */
const RESERVED: readonly Field[] = [
  { offset: 0x04c, size: 4 },
  { offset: 0x18b, size: 21 },
  { offset: 0x1eb, size: 1 },
  { offset: 0x1ef, size: 1 },
  { offset: 0x208, size: 152 },
];

/** Report versions that are understood. Version 4 is laid out as 3. */
export const REPORT_VERSIONS: readonly number[] = [2, 3, 4, 5];

/** Whether reports of a version name the processor. */
export function hasCpuid(version: number): boolean {
  return version >= 3;
}

/** Whether reports of a version have mitigation vectors. */
export function hasMitigationVectors(version: number): boolean {
  return version >= 5;
}

/** What must be zero in a report of a version, the signature apart. */
export function reservedFields(version: number): readonly Field[] {
  const reserved = [...RESERVED];
  if (!hasCpuid(version)) {
    reserved.push(FIELDS.CPUID_FAM_ID, FIELDS.CPUID_MOD_ID, FIELDS.CPUID_STEP);
  }
  if (!hasMitigationVectors(version)) {
    reserved.push(FIELDS.LAUNCH_MIT_VECTOR, FIELDS.CURRENT_MIT_VECTOR);
  }
  return reserved;
}
