/**
 * Reports beside certificates that are good in themselves: whether the certificate belongs to the
 * report.
 *
 * @module
 */
import type { Evidence } from '../../attestation/src/evidence.ts';
import type { Tcb } from '../../attestation/src/report/tcb.ts';
import type { Misbehaviour } from '../../attestation/src/simulated/processor/misbehaviour.ts';
import {
  SIMULATED_MODELS,
  type SimulatedModelName,
} from '../../attestation/src/simulated/processor/models.ts';
import { forgeVek, type VekForgery } from './forge.ts';
import type { EvidenceVector } from './format.ts';
import {
  bad,
  type EvidenceOptions,
  evidenceOf,
  patched,
  processor,
  resigned,
} from './processor.ts';

type Verdict = EvidenceVector['expected']['verify'];
type Case = readonly [name: string, verify: Verdict, comment: string, evidence: Evidence];

const MILAN = SIMULATED_MODELS.Milan;

/** A good report, with a certificate that says something else. */
function beside(forgery: VekForgery, options: EvidenceOptions = {}): Evidence {
  return { report: evidenceOf(options).report, vek: forgeVek(forgery) };
}

/** The certificate of a TCB that differs in one level. */
function level(change: Partial<Tcb>, model: SimulatedModelName = 'Milan'): Evidence {
  const tcb = { ...SIMULATED_MODELS[model].tcb, ...change };
  return beside({ model, fields: { tcb } }, { model });
}

/** Changed after it was signed. */
function forged(offset: number, bytes: readonly number[]): Evidence {
  const { report, ...rest } = evidenceOf();
  return { report: patched(report, offset, bytes), ...rest };
}

/** Signed again, the certificate left as it was. */
function rewritten(offset: number, bytes: readonly number[], model: SimulatedModelName): Evidence {
  const { report, ...rest } = evidenceOf({ model });
  return { report: resigned(patched(report, offset, bytes), model), ...rest };
}

const cases = (): readonly Case[] => {
  const { report, vek } = evidenceOf();
  const signature = report.subarray(0x2a0);
  const [r, s] = [signature.subarray(0, 72), signature.subarray(72, 144)];
  const reversed = (bytes: Uint8Array) => [...bytes.slice(0, 48)].reverse();
  const flipped = [...report.subarray(0x90, 0x91)].map((byte) => byte ^ 1);
  return [
    ['milan', 'accepted', 'A Milan.', evidenceOf()],
    ['milan-v2', 'accepted', 'A report of version 2.', evidenceOf({ reportVersion: 2 })],
    ['milan-v3', 'accepted', 'A report of version 3.', evidenceOf({ reportVersion: 3 })],
    ['milan-v4', 'accepted', 'A report of version 4.', evidenceOf({ reportVersion: 4 })],
    ['genoa', 'accepted', 'A Genoa.', evidenceOf({ model: 'Genoa' })],
    [
      'genoa-v2',
      'accepted',
      'A Genoa of version 2.',
      evidenceOf({ model: 'Genoa', reportVersion: 2 }),
    ],
    ['bergamo', 'accepted', 'A Bergamo, endorsed as Genoa.', evidenceOf({ model: 'Bergamo' })],
    ['turin', 'accepted', 'A Turin.', evidenceOf({ model: 'Turin' })],
    [
      'turin-v3',
      'accepted',
      'A Turin of version 3.',
      evidenceOf({ model: 'Turin', reportVersion: 3 }),
    ],
    [
      'milan-vlek',
      'accepted',
      'Signed by a VLEK.',
      evidenceOf({ request: { signingKey: 'VLEK' } }),
    ],
    [
      'turin-vlek',
      'accepted',
      'A Turin, signed by a VLEK.',
      evidenceOf({ model: 'Turin', request: { signingKey: 'VLEK' } }),
    ],
    [
      'masked-chip',
      'accepted',
      'A chip that is hidden, which the report admits.',
      bad('masked-chip'),
    ],
    [
      'vlek-without-chip',
      'accepted',
      'A VLEK stands for no chip.',
      bad('hidden-chip', { request: { signingKey: 'VLEK' } }),
    ],
    [
      'vcek-for-vlek-report',
      'vek-kind',
      'A VLEK signed, a VCEK came along.',
      { report: evidenceOf({ request: { signingKey: 'VLEK' } }).report, ...(vek && { vek }) },
    ],
    [
      'vlek-for-vcek-report',
      'vek-kind',
      'A VCEK signed, a VLEK came along.',
      beside({ kind: 'VLEK' }),
    ],
    ['vcek-named-vlek', 'vek-kind', 'A VCEK under the name of a VLEK.', bad('wrong-kind')],
    [
      'vlek-named-vcek',
      'vek-kind',
      'A VLEK under the name of a VCEK.',
      bad('wrong-kind', { request: { signingKey: 'VLEK' } }),
    ],
    [
      'genoa-for-milan',
      'vek-product',
      'The certificate of a Genoa for the report of a Milan.',
      beside({ model: 'Genoa' }),
    ],
    [
      'milan-for-genoa',
      'vek-product',
      'The certificate of a Milan for the report of a Genoa.',
      beside({}, { model: 'Genoa' }),
    ],
    [
      'turin-for-genoa',
      'vek-product',
      'The certificate of a Turin for the report of a Genoa.',
      beside({ model: 'Turin' }, { model: 'Genoa' }),
    ],
    [
      'milan-for-turin',
      'vek-product',
      'The certificate of a Milan for the report of a Turin.',
      beside({}, { model: 'Turin' }),
    ],
    [
      'product-name-wrong',
      'vek-product',
      'A Milan that is named Genoa.',
      bad('wrong-product-name'),
    ],
    [
      'product-name-prefix',
      'vek-product',
      'A name that only begins as it should.',
      beside({ fields: { productName: 'Milano' } }),
    ],
    [
      'product-name-unknown-v2',
      'vek-product',
      'Version 2 names no product, and the certificate an unknown one.',
      beside({ fields: { productName: 'Rome' } }, { reportVersion: 2 }),
    ],
    [
      'turin-for-v2',
      'vek-product',
      'The certificate of a Turin for a report of version 2.',
      beside({ model: 'Turin' }, { reportVersion: 2 }),
    ],
    ['tcb-bl', 'vek-tcb', 'The certificate of another boot loader.', level({ bl: 3 })],
    ['tcb-tee', 'vek-tcb', 'The certificate of another TEE.', level({ tee: 1 })],
    ['tcb-snp', 'vek-tcb', 'The certificate of other SNP firmware.', level({ snp: 24 })],
    ['tcb-ucode', 'vek-tcb', 'The certificate of other microcode.', level({ ucode: 218 })],
    [
      'tcb-higher',
      'vek-tcb',
      'A certificate of a newer TCB is no better.',
      level({ snp: 26, ucode: 220 }),
    ],
    [
      'tcb-swapped',
      'vek-tcb',
      'The same levels in other places.',
      level({ snp: MILAN.tcb.ucode, ucode: MILAN.tcb.snp }),
    ],
    [
      'tcb-fmc',
      'vek-tcb',
      "The certificate of another FMC's firmware.",
      level({ fmc: 0 }, 'Turin'),
    ],
    [
      'tcb-misbehaviour',
      'vek-tcb',
      'The certificate of a TCB of long ago.',
      bad('wrong-certificate-tcb'),
    ],
    [
      'old-reported-tcb-certificate',
      'vek-tcb',
      'A report of a TCB of long ago with the certificate of today.',
      { report: bad('old-reported-tcb').report, ...(vek && { vek }) },
    ],
    ['hwid-wrong', 'vek-chip', 'The certificate of another chip.', bad('wrong-hwid')],
    ['chip-other', 'vek-chip', 'A report of another chip.', bad('other-chip')],
    [
      'chip-hidden',
      'vek-chip',
      'A chip that is hidden, which the report does not admit.',
      bad('hidden-chip'),
    ],
    [
      'chip-last-byte',
      'vek-chip',
      'CHIP_ID differs in its last byte.',
      rewritten(0x1df, [Number(report[0x1df]) ^ 1], 'Milan'),
    ],
    [
      'chip-not-masked',
      'accepted',
      'MASK_CHIP_KEY, and the chip told all the same.',
      rewritten(0x48, [2], 'Milan'),
    ],
    [
      'turin-hwid-wrong',
      'vek-chip',
      'The certificate of another Turin.',
      bad('wrong-hwid', { model: 'Turin' }),
    ],
    [
      'turin-chip-long',
      'vek-chip',
      'Something behind the 8 bytes of a Turin.',
      rewritten(0x1a8, [1], 'Turin'),
    ],
    [
      'signature-r-s-swapped',
      'report-signature',
      'R and S in each other’s place.',
      forged(0x2a0, [...s, ...r]),
    ],
    [
      'signature-big-endian',
      'report-signature',
      'R and S big-endian.',
      forged(0x2a0, [...reversed(r), ...new Array<number>(24).fill(0), ...reversed(s)]),
    ],
    [
      'signature-of-another',
      'report-signature',
      'The signature of another report.',
      forged(0x2a0, [...evidenceOf().report.subarray(0x2a0)]),
    ],
    [
      'signature-one',
      'report-signature',
      'R and S of one.',
      forged(0x2a0, [1, ...new Array<number>(71).fill(0), 1, ...new Array<number>(71).fill(0)]),
    ],
    [
      'signature-flipped',
      'report-signature',
      'A bit of the signature flipped.',
      bad('forged-signature'),
    ],
    [
      'measurement-flipped',
      'report-signature',
      'A bit of MEASUREMENT flipped.',
      bad('forged-measurement'),
    ],
    [
      'measurement-patched',
      'report-signature',
      'MEASUREMENT changed after signing.',
      forged(0x90, flipped),
    ],
    [
      'report-data-patched',
      'report-signature',
      'REPORT_DATA changed after signing.',
      forged(0x50, [0]),
    ],
    [
      'host-data-patched',
      'report-signature',
      'HOST_DATA changed after signing.',
      forged(0xdf, [0]),
    ],
    [
      'policy-patched',
      'report-signature',
      'POLICY changed after signing: debug off.',
      { ...bad('debug'), report: patched(bad('debug').report, 0x0a, [3]) },
    ],
    [
      'guest-svn-patched',
      'report-signature',
      'GUEST_SVN changed after signing.',
      forged(0x04, [9]),
    ],
    ['vmpl-patched', 'report-signature', 'VMPL changed after signing.', forged(0x30, [1])],
    [
      'platform-info-patched',
      'report-signature',
      'PLATFORM_INFO changed after signing.',
      forged(0x40, [0x25]),
    ],
    [
      'key-of-another-tcb',
      'report-signature',
      'The key of another TCB under a certificate of this one.',
      { report, vek: forgeVek({ fields: { publicKey: otherKey() } }) },
    ],
    ['unsigned', 'report-key-info', 'Nobody signed.', bad('unsigned-report')],
    ['host-request', 'report-vmpl', 'The host asked for the report.', bad('host-request')],
    ['unknown-version', 'report-version', 'A version that does not exist.', bad('unknown-version')],
    ['unknown-processor', 'product', 'A processor that nobody knows.', bad('unknown-processor')],
    [
      'reserved-bits',
      'report-reserved',
      'Something where there must be zeros.',
      bad('reserved-bits'),
    ],
    [
      'unknown-signature-algorithm',
      'report-signature-algorithm',
      'An unknown algorithm.',
      bad('unknown-signature-algorithm'),
    ],
    [
      'report-cut',
      'report-length',
      'A report without its last byte.',
      { ...evidenceOf(), report: report.subarray(0, -1) },
    ],
    [
      'policy-unknown-bit',
      'report-guest-policy',
      'A policy with a bit that nobody knows.',
      rewritten(0x0f, [1], 'Milan'),
    ],
    [
      'signature-padded',
      'report-signature-encoding',
      'Something behind the signature.',
      forged(0x49f, [1]),
    ],
    [
      'tcb-reserved',
      'report-tcb',
      'A TCB with a byte that Milan leaves zero.',
      rewritten(0x184, [1], 'Milan'),
    ],
    ...validity(),
  ];
};

function validity(): Case[] {
  const of = (misbehaviour: Misbehaviour, comment: string): Case => [
    misbehaviour,
    'vek-validity',
    comment,
    bad(misbehaviour),
  ];
  return [
    of('expired-vek', 'A certificate that was valid once.'),
    of('future-vek', 'A certificate that will be valid one day.'),
    [
      'expired-vlek',
      'vek-validity',
      'A VLEK that was valid once.',
      bad('expired-vek', { request: { signingKey: 'VLEK' } }),
    ],
  ];
}

/** The public key of the TCB of long ago. */
function otherKey() {
  const der = Buffer.from(processor().vcek(MILAN.oldTcb));
  const at = der.indexOf(Buffer.from('03620004', 'hex')) + 3;
  return { point: new Uint8Array(der.subarray(at, at + 97)) };
}

export function bindingVectors(): EvidenceVector[] {
  return cases().map(([name, verify, comment, evidence]) => ({
    name,
    comment,
    evidence,
    expected: { verify },
  }));
}
