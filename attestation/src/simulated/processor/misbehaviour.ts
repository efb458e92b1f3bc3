/**
 * The ways in which a simulated processor, its host or its endorsements can be bad, so that each
 * check of a verifier has something to refuse.
 *
 * @module
 */

import { decodeGuestPolicy } from '../../report/guest-policy.ts';
import { FIELDS } from '../../report/layout.ts';
import { decodePlatformInfo } from '../../report/platform-info.ts';
import type { ReportClaims } from '../../report/report-claims.ts';
import type { Tcb } from '../../report/tcb.ts';
import type { VekRequest } from '../authorities/certify-vek.ts';
import type { CrlRequest } from '../authorities/make-crl.ts';
import { SIMULATED_SERIALS } from '../authorities/names.ts';
import type { SimulatedModel } from './models.ts';

type ClaimsChange = (claims: ReportClaims, model: SimulatedModel) => ReportClaims;

/** What goes wrong, and where. */
export interface Effect {
  /** One sentence. */
  readonly says: string;
  /** Changes what the firmware puts in a report. */
  readonly claims?: ClaimsChange;
  /** Changes the bytes of a report before it is signed. */
  readonly unsigned?: (report: Uint8Array) => void;
  /** Changes the bytes of a report after it is signed. */
  readonly signed?: (report: Uint8Array) => void;
  /** Changes what the endorsement key's certificate says. */
  readonly vek?: (request: VekRequest, model: SimulatedModel) => VekRequest;
  /** Changes the revocation list. */
  readonly crl?: (request: CrlRequest) => CrlRequest;
}

const DAY = 86_400_000;
const YEAR = 365 * DAY;
const AGENT = 'a5'.repeat(32);
const OLD_VERSION = { major: 1, minor: 49, build: 3 };

const EFFECTS = {
  'old-tcb': {
    says: 'Firmware of long ago runs, and the endorsement key is that of its TCB.',
    claims: (claims, { oldTcb: tcb }) => ({
      ...claims,
      currentTcb: tcb,
      committedTcb: tcb,
      reportedTcb: tcb,
      launchTcb: tcb,
    }),
  },
  'old-reported-tcb': {
    says: 'The host reports a TCB far below the one that runs.',
    claims: (claims, { oldTcb }) => ({ ...claims, reportedTcb: oldTcb }),
  },
  'old-launch-tcb': {
    says: 'Firmware of long ago launched the guest.',
    claims: (claims, { oldTcb }) => ({ ...claims, launchTcb: oldTcb }),
  },
  'old-committed-tcb': {
    says: 'The firmware can be rolled back to one of long ago.',
    claims: (claims, { oldTcb }) => ({ ...claims, committedTcb: oldTcb }),
  },
  'provisional-firmware': {
    says: 'The firmware that runs is newer than the one that is committed.',
    claims: (claims) => ({
      ...claims,
      committedTcb: olderUcode(claims.committedTcb),
      reportedTcb: olderUcode(claims.reportedTcb),
      committedVersion: {
        ...claims.committedVersion,
        build: claims.committedVersion.build - 1,
      },
    }),
  },
  'reported-above-current': {
    says: 'The report is of a TCB above the one that runs.',
    claims: (claims) => ({ ...claims, reportedTcb: newerUcode(claims.reportedTcb) }),
  },
  'committed-above-current': {
    says: 'The committed firmware is newer than the one that runs.',
    claims: (claims) => ({ ...claims, committedTcb: newerUcode(claims.committedTcb) }),
  },
  'old-firmware': {
    says: 'The firmware is of a version of long ago, whatever its TCB.',
    claims: set({ currentVersion: OLD_VERSION, committedVersion: OLD_VERSION }),
  },
  'no-mitigations': {
    says: 'The firmware has no mitigation that its vectors could list.',
    claims: (claims) =>
      claims.version < 5 ? claims : { ...claims, launchMitVector: 0n, currentMitVector: 0n },
  },
  'no-mitigations-at-launch': {
    says: 'The guest was launched before the firmware had the mitigations that it has.',
    claims: (claims) => (claims.version < 5 ? claims : { ...claims, launchMitVector: 0n }),
  },
  debug: {
    says: 'The host may debug the guest.',
    claims: policyBits(1n << 19n),
  },
  'migration-agent-allowed': {
    says: 'The guest may be bound to a migration agent.',
    claims: policyBits(1n << 18n),
  },
  'migration-agent': {
    says: 'The guest is bound to a migration agent.',
    claims: set({ reportIdMa: AGENT }),
  },
  'cxl-allowed': {
    says: 'The guest may lie in memory behind CXL.',
    claims: policyBits(1n << 21n),
  },
  'smt-on': {
    says: 'Two threads share a core.',
    claims: platformBits(1n << 0n),
  },
  'no-ecc': {
    says: 'Memory has no error correction.',
    claims: platformBits(0n, 1n << 2n),
  },
  'no-alias-check': {
    says: 'Nobody looked for aliases in memory, as BadRAM makes them.',
    claims: platformBits(0n, 1n << 5n),
  },
  'tio-on': {
    says: 'Devices may be trusted by guests.',
    claims: platformBits(1n << 7n),
  },
  'unknown-platform-bits': {
    says: 'The platform has something on that nobody knows.',
    claims: platformBits(1n << 40n),
  },
  'vmpl-1': {
    says: 'Code of less privilege than the guest asked for the report.',
    claims: set({ vmpl: 1 }),
  },
  'host-request': {
    says: 'The host, not the guest, asked for the report.',
    claims: set({ vmpl: 0xffff_ffff }),
  },
  'masked-chip': {
    says: 'The report hides its chip, and says so.',
    claims: (claims) => ({
      ...claims,
      chipId: '00'.repeat(64),
      keyInfo: { ...claims.keyInfo, maskChipKey: true },
    }),
  },
  'hidden-chip': {
    says: 'The report hides its chip, and does not say so.',
    claims: set({ chipId: '00'.repeat(64) }),
  },
  'other-chip': {
    says: 'The report names another chip than the one that signed it.',
    claims: (claims) => ({ ...claims, chipId: flipFirst(claims.chipId) }),
  },
  'other-measurement': {
    says: 'Another guest was launched.',
    claims: (claims) => ({ ...claims, measurement: flipFirst(claims.measurement) }),
  },
  'other-host-data': {
    says: 'The host launched the guest with other HOST_DATA.',
    claims: (claims) => ({ ...claims, hostData: flipFirst(claims.hostData) }),
  },
  'other-report-data': {
    says: 'The report answers another challenge.',
    claims: (claims) => ({ ...claims, reportData: flipFirst(claims.reportData) }),
  },
  'unknown-processor': {
    says: 'The processor is of a model that nobody knows.',
    unsigned: (report) => report.set([0x50], FIELDS.CPUID_MOD_ID.offset),
  },
  'unknown-version': {
    says: 'The report is of a version that does not exist.',
    unsigned: (report) => report.set([9], FIELDS.VERSION.offset),
  },
  'unsigned-report': {
    says: 'The report says that no key signed it.',
    unsigned: (report) => report.set([7 << 2], FIELDS.KEY_INFO.offset),
  },
  'unknown-signature-algorithm': {
    says: 'The report says that it is signed by an unknown algorithm.',
    unsigned: (report) => report.set([2], FIELDS.SIGNATURE_ALGO.offset),
  },
  'reserved-bits': {
    says: 'The report has something where there must be zeros.',
    unsigned: (report) => report.set([1], 0x208),
  },
  'forged-measurement': {
    says: 'The measurement was changed after the report was signed.',
    signed: (report) => flipBit(report, FIELDS.MEASUREMENT.offset),
  },
  'forged-signature': {
    says: 'The signature is that of another report.',
    signed: (report) => flipBit(report, FIELDS.SIGNATURE_S.offset),
  },
  'wrong-hwid': {
    says: 'The certificate is that of another chip.',
    vek: (request) => ({
      ...request,
      hwid: request.hwid === null ? null : flipFirst(request.hwid),
    }),
  },
  'wrong-certificate-tcb': {
    says: 'The certificate is that of another TCB.',
    vek: (request, { oldTcb }) => ({ ...request, tcb: oldTcb }),
  },
  'wrong-product-name': {
    says: 'The certificate names another product.',
    vek: (request) => ({
      ...request,
      productName: request.productName === 'Genoa' ? 'Milan-B0' : 'Genoa',
    }),
  },
  'other-csp': {
    says: 'The VLEK is that of another cloud provider.',
    vek: (request) => ({
      ...request,
      cspId: request.cspId === null ? null : 'CN=elsewhere.invalid',
    }),
  },
  'wrong-kind': {
    says: 'The certificate is named as one of the other kind.',
    vek: (request) => ({ ...request, named: request.kind === 'VCEK' ? 'VLEK' : 'VCEK' }),
  },
  'expired-vek': {
    says: 'The certificate was valid once.',
    vek: (request) => ({
      ...request,
      notBefore: request.notBefore - 2 * YEAR,
      notAfter: request.notBefore,
    }),
  },
  'future-vek': {
    says: 'The certificate will be valid one day.',
    vek: (request) => ({
      ...request,
      notBefore: request.notBefore + 2 * DAY + YEAR,
      notAfter: request.notAfter + 2 * YEAR,
    }),
  },
  'stale-crl': {
    says: 'The revocation list is out of date.',
    crl: (request) => ({
      ...request,
      thisUpdate: request.thisUpdate - YEAR,
      nextUpdate: request.thisUpdate,
    }),
  },
  'old-crl': {
    says: 'The revocation list is current, and months old.',
    crl: (request) => ({ ...request, thisUpdate: request.thisUpdate - 90 * DAY }),
  },
  'future-crl': {
    says: 'The revocation list is not valid yet.',
    crl: (request) => ({
      ...request,
      thisUpdate: request.thisUpdate + YEAR,
      nextUpdate: request.nextUpdate + YEAR,
    }),
  },
  'rolled-back-crl': {
    says: 'The revocation list is one that a newer one has replaced.',
    crl: (request) => ({ ...request, number: 1n }),
  },
  'revoked-ask': {
    says: 'The authority over VCEKs is revoked.',
    crl: revoking(SIMULATED_SERIALS.ask),
  },
  'revoked-asvk': {
    says: 'The authority over VLEKs is revoked.',
    crl: revoking(SIMULATED_SERIALS.asvk),
  },
} as const satisfies Readonly<Record<string, Effect>>;

/** One way to be bad. */
export type Misbehaviour = keyof typeof EFFECTS;

const ALL: Readonly<Record<Misbehaviour, Effect>> = EFFECTS;

/** Every misbehaviour, with a sentence that describes it. */
export const MISBEHAVIOURS: Readonly<Record<Misbehaviour, string>> = Object.freeze(
  Object.fromEntries(Object.entries(ALL).map(([name, { says }]) => [name, says])),
) as Readonly<Record<Misbehaviour, string>>;

/**
 * What the named ways change, in the order of the table.
 *
 * @throws {TypeError} for a way that is not known.
 */
export function effectsOf(names: readonly Misbehaviour[]): readonly Effect[] {
  const unknown = names.find((name) => !Object.hasOwn(ALL, name));
  if (unknown !== undefined) throw new TypeError(`${unknown} is no known misbehaviour`);
  return Object.entries<Effect>(ALL)
    .filter(([name]) => names.some((wanted) => wanted === name))
    .map(([, effect]) => effect);
}

function set(fields: Partial<ReportClaims>): ClaimsChange {
  return (claims) => ({ ...claims, ...fields });
}

function policyBits(bits: bigint): ClaimsChange {
  return (claims) => ({ ...claims, policy: decodeGuestPolicy(claims.policy.raw | bits) });
}

function platformBits(on: bigint, off = 0n): ClaimsChange {
  return (claims) => ({
    ...claims,
    platformInfo: decodePlatformInfo((claims.platformInfo.raw | on) & ~off),
  });
}

function olderUcode(tcb: Tcb): Tcb {
  return { ...tcb, ucode: tcb.ucode - 1 };
}

function newerUcode(tcb: Tcb): Tcb {
  return { ...tcb, ucode: tcb.ucode + 1 };
}

function revoking(serial: string): NonNullable<Effect['crl']> {
  return (request) => ({ ...request, revoked: [...request.revoked, serial] });
}

/** The same bytes with one bit of the first flipped. */
function flipFirst(hex: string): string {
  const first = Number.parseInt(hex.slice(0, 2), 16) ^ 1;
  return first.toString(16).padStart(2, '0') + hex.slice(2);
}

function flipBit(report: Uint8Array, offset: number): void {
  report.set([Number(report[offset]) ^ 1], offset);
}
