/**
 * Reports for tests.
 *
 * @module
 */

import { decodeGuestPolicy } from '../guest-policy.ts';
import { decodePlatformInfo } from '../platform-info.ts';
import type { ReportClaims } from '../report-claims.ts';
import { serializeReport } from '../serialize.ts';

const TCB = { bl: 4, tee: 0, snp: 24, ucode: 213 };
const TURIN_TCB = { fmc: 1, bl: 1, tee: 2, snp: 4, ucode: 81 };

/** r and s in range, and different. */
export const SAMPLE_SIGNATURE = Uint8Array.from({ length: 96 }, (_, index) => index + 1);

/** A report of version 5 from a Milan, each of its byte strings another. */
export const SAMPLE_CLAIMS: ReportClaims = {
  version: 5,
  guestSvn: 7,
  policy: decodeGuestPolicy(0x3_011fn),
  familyId: '11'.repeat(16),
  imageId: '22'.repeat(16),
  vmpl: 0,
  signatureAlgo: 1,
  currentTcb: TCB,
  platformInfo: decodePlatformInfo(0x25n),
  keyInfo: { authorKeyEn: false, maskChipKey: false, signingKey: 'VCEK' },
  reportData: '33'.repeat(64),
  measurement: '44'.repeat(48),
  hostData: '55'.repeat(32),
  idKeyDigest: '66'.repeat(48),
  authorKeyDigest: '77'.repeat(48),
  reportId: '88'.repeat(32),
  reportIdMa: 'ff'.repeat(32),
  reportedTcb: { ...TCB, snp: 23 },
  cpuid: { family: 0x19, model: 0x01, stepping: 1 },
  chipId: '99'.repeat(64),
  committedTcb: { ...TCB, ucode: 212 },
  currentVersion: { major: 1, minor: 55, build: 29 },
  committedVersion: { major: 1, minor: 54, build: 28 },
  launchTcb: { ...TCB, snp: 22 },
  launchMitVector: 0x0bn,
  currentMitVector: 0x0fn,
};

/** The same from a Turin. */
export const TURIN_CLAIMS: ReportClaims = {
  ...SAMPLE_CLAIMS,
  cpuid: { family: 0x1a, model: 0x02, stepping: 1 },
  chipId: `${'9a'.repeat(8)}${'00'.repeat(56)}`,
  currentTcb: TURIN_TCB,
  reportedTcb: TURIN_TCB,
  committedTcb: TURIN_TCB,
  launchTcb: TURIN_TCB,
};

/** Claims as an older version has them. */
export function claimsOfVersion(version: 2 | 3 | 4): ReportClaims {
  return {
    ...SAMPLE_CLAIMS,
    version,
    cpuid: version === 2 ? null : SAMPLE_CLAIMS.cpuid,
    launchMitVector: null,
    currentMitVector: null,
  };
}

/** The bytes of a report that parses, with changes to its claims. */
export function sampleReport(changes: Partial<ReportClaims> = {}): Uint8Array {
  return serializeReport({ ...SAMPLE_CLAIMS, ...changes }, SAMPLE_SIGNATURE);
}
