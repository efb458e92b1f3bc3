/**
 * Claims that a policy accepts, so that tests can change one field at a time.
 *
 * @module
 */
import { type PolicyTee, parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import type { Tcb } from '../../report/tcb.ts';
import type { Claims } from '../../verify/verified-claims.ts';
import type { Appraisal, AppraisalCheck, AppraisalCode } from '../appraisal-checks.ts';
import { appraiseClaims, type Expected } from '../appraise-claims.ts';

export const MEASUREMENT = 'c5'.repeat(48);
export const REPORT_DATA = 'ab'.repeat(64);
export const HOST_DATA = '9c'.repeat(32);
export const CHIP = '38'.repeat(64);
export const TURIN_CHIP = `${'3b'.repeat(8)}${'00'.repeat(56)}`;
export const KEY_DIGEST = '1d'.repeat(48);
export const ZEROS_48 = '00'.repeat(48);

const MILAN_TCB: Tcb = { bl: 4, tee: 0, snp: 24, ucode: 219 };
const TURIN_TCB: Tcb = { fmc: 1, bl: 1, tee: 1, snp: 4, ucode: 82 };

/** A guest of QEMU on a Milan host that is kept up to date. */
export const MILAN: Claims = {
  version: 3,
  guestSvn: 0,
  policy: {
    raw: 0x30000n,
    abiMajor: 0,
    abiMinor: 0,
    smt: true,
    migrateMa: false,
    debug: false,
    singleSocket: false,
    cxlAllow: false,
    memAes256Xts: false,
    raplDis: false,
    ciphertextHidingDram: false,
    pageSwapDisable: false,
  },
  familyId: '00'.repeat(16),
  imageId: '00'.repeat(16),
  vmpl: 0,
  signatureAlgo: 1,
  currentTcb: MILAN_TCB,
  platformInfo: {
    raw: 0x25n,
    smtEn: true,
    tsmeEn: false,
    eccEn: true,
    raplDis: false,
    ciphertextHidingDramEn: false,
    aliasCheckComplete: true,
    iommuWriteSafe: false,
    tioEn: false,
  },
  keyInfo: { authorKeyEn: false, maskChipKey: false, signingKey: 'VCEK' },
  reportData: REPORT_DATA,
  measurement: MEASUREMENT,
  hostData: HOST_DATA,
  idKeyDigest: ZEROS_48,
  authorKeyDigest: ZEROS_48,
  reportId: 'ab'.repeat(32),
  reportIdMa: 'ff'.repeat(32),
  reportedTcb: MILAN_TCB,
  cpuid: { family: 0x19, model: 0x01, stepping: 1 },
  chipId: CHIP,
  committedTcb: MILAN_TCB,
  currentVersion: { major: 1, minor: 55, build: 29 },
  committedVersion: { major: 1, minor: 55, build: 29 },
  launchTcb: MILAN_TCB,
  launchMitVector: null,
  currentMitVector: null,
  product: 'Milan',
  tcbClass: 'milan',
  chipMasked: false,
  endorsement: {
    kind: 'VCEK',
    productName: 'Milan-B0',
    cspId: null,
    hwid: CHIP,
    notBefore: '2025-08-07T17:21:41Z',
    notAfter: '2032-08-07T17:21:41Z',
  },
  revocation: {
    number: 5n,
    thisUpdate: '2026-06-01T00:00:00Z',
    nextUpdate: '2027-06-01T00:00:00Z',
    obtainedAt: '2026-06-10T12:00:00Z',
  },
  verifiedAt: '2026-06-12T12:00:00Z',
};

/** The same on Turin: version 5, mitigation vectors, a chip of 8 bytes. */
export const TURIN: Claims = {
  ...MILAN,
  version: 5,
  platformInfo: { ...MILAN.platformInfo, raw: 0x65n, iommuWriteSafe: true },
  currentTcb: TURIN_TCB,
  reportedTcb: TURIN_TCB,
  committedTcb: TURIN_TCB,
  launchTcb: TURIN_TCB,
  cpuid: { family: 0x1a, model: 0x02, stepping: 1 },
  chipId: TURIN_CHIP,
  currentVersion: { major: 1, minor: 55, build: 65 },
  committedVersion: { major: 1, minor: 55, build: 65 },
  launchMitVector: 0x3fn,
  currentMitVector: 0x3fn,
  product: 'Turin',
  tcbClass: 'turin',
  endorsement: { ...MILAN.endorsement, productName: 'Turin', hwid: '3b'.repeat(8) },
};

/** A guest whose report a VLEK signed and masks its chip. */
export const MASKED: Claims = {
  ...MILAN,
  keyInfo: { ...MILAN.keyInfo, signingKey: 'VLEK' },
  chipId: '00'.repeat(64),
  chipMasked: true,
  endorsement: {
    ...MILAN.endorsement,
    kind: 'VLEK',
    productName: 'Milan',
    cspId: 'CN=cc-us-east-2.amazonaws.com',
    hwid: null,
  },
};

/** The inputs of an appraisal; omitted ones have good values. */
export interface Specimen {
  readonly tee?: PolicyTee;
  readonly base?: Claims;
  readonly claims?: Partial<Claims>;
  /** Over a policy that names the measurement and the host data of the fixtures. */
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly expected?: Expected;
}

export function appraisalOf(specimen: Specimen = {}): Appraisal {
  const policy = parseAttestationPolicy({
    measurements: [MEASUREMENT],
    hostData: HOST_DATA,
    ...specimen.policy,
  });
  return appraiseClaims(
    specimen.tee ?? 'sev-snp',
    { ...(specimen.base ?? MILAN), ...specimen.claims },
    policy,
    specimen.expected ?? { reportData: REPORT_DATA },
  );
}

/** How one check went, without its code. */
export function checkOf(
  code: AppraisalCode,
  specimen: Specimen = {},
): Omit<AppraisalCheck, 'code'> | undefined {
  const check = appraisalOf(specimen).checks.find((candidate) => candidate.code === code);
  return check && { verdict: check.verdict, expected: check.expected, actual: check.actual };
}

/** Codes of the checks that failed. */
export function failuresOf(specimen: Specimen = {}): readonly AppraisalCode[] {
  return appraisalOf(specimen)
    .checks.filter(({ verdict }) => verdict === 'failed')
    .map(({ code }) => code);
}
