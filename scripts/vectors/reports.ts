/**
 * Reports that a parser must accept or refuse, before any signature is verified.
 *
 * @module
 */
import type { VerifyCode } from '../../attestation/src/verify/verify-checks.ts';
import type { ReportVector } from './format.ts';
import { bad, type EvidenceOptions, evidenceOf, patched } from './processor.ts';

const ORDER_LE = Buffer.from(
  'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  'hex',
).reverse();
const ZEROS_48 = new Array<number>(48).fill(0);

/** Changes to a Milan report of version 5: name, code, offset, bytes, comment. */
const PATCHES: readonly [string, VerifyCode, number, readonly number[], string][] = [
  ['version-0', 'report-version', 0x000, [0], 'There is no version 0.'],
  ['version-1', 'report-version', 0x000, [1], 'Version 1 was never on the market.'],
  ['version-6', 'report-version', 0x000, [6], 'Nobody knows what version 6 means.'],
  ['version-high-byte', 'report-version', 0x003, [1], 'All four bytes count.'],
  ['version-big-endian', 'report-version', 0x000, [0, 0, 0, 5], 'Numbers are little-endian.'],
  ['reserved-04c', 'report-reserved', 0x04c, [1], 'Behind KEY_INFO there are zeros.'],
  ['reserved-04f', 'report-reserved', 0x04f, [0x80], 'Behind KEY_INFO there are zeros.'],
  ['reserved-18b', 'report-reserved', 0x18b, [1], 'Behind CPUID there are zeros.'],
  ['reserved-19f', 'report-reserved', 0x19f, [1], 'Behind CPUID there are zeros.'],
  ['reserved-1eb', 'report-reserved', 0x1eb, [1], 'Behind the current version there is a zero.'],
  ['reserved-1ef', 'report-reserved', 0x1ef, [1], 'Behind the committed version there is a zero.'],
  ['reserved-208', 'report-reserved', 0x208, [1], 'Behind the mitigation vectors there are zeros.'],
  ['reserved-29f', 'report-reserved', 0x29f, [1], 'The signed part ends with zeros.'],
  ['policy-bit-17-clear', 'report-guest-policy', 0x00a, [0x01], 'Bit 17 of POLICY must be one.'],
  ['policy-bit-26', 'report-guest-policy', 0x00b, [0x04], 'Bit 26 of POLICY must be zero.'],
  ['policy-bit-63', 'report-guest-policy', 0x00f, [0x80], 'Bit 63 of POLICY must be zero.'],
  ['vmpl-4', 'report-vmpl', 0x030, [4], 'There are four levels, 0 to 3.'],
  ['vmpl-host', 'report-vmpl', 0x030, [255, 255, 255, 255], 'The host asked for the report.'],
  ['vmpl-high-byte', 'report-vmpl', 0x033, [1], 'All four bytes count.'],
  ['signature-algorithm-0', 'report-signature-algorithm', 0x034, [0], 'Not signed by anything.'],
  ['signature-algorithm-2', 'report-signature-algorithm', 0x034, [2], 'An unknown algorithm.'],
  ['signing-key-none', 'report-key-info', 0x048, [0x1c], 'SIGNING_KEY 7: nobody signed.'],
  ['signing-key-2', 'report-key-info', 0x048, [0x08], 'SIGNING_KEY 2 is reserved.'],
  ['signing-key-6', 'report-key-info', 0x048, [0x18], 'SIGNING_KEY 6 is reserved.'],
  ['key-info-bit-5', 'report-key-info', 0x048, [0x20], 'KEY_INFO sets a bit that must be zero.'],
  ['key-info-bit-31', 'report-key-info', 0x04b, [0x80], 'KEY_INFO sets a bit that must be zero.'],
  ['signature-r-zero', 'report-signature-encoding', 0x2a0, ZEROS_48, 'R is at least 1.'],
  ['signature-s-zero', 'report-signature-encoding', 0x2e8, ZEROS_48, 'S is at least 1.'],
  ['signature-r-order', 'report-signature-encoding', 0x2a0, [...ORDER_LE], 'R is below the order.'],
  ['signature-s-order', 'report-signature-encoding', 0x2e8, [...ORDER_LE], 'S is below the order.'],
  ['signature-r-long', 'report-signature-encoding', 0x2d0, [1], 'R has 48 bytes of 72.'],
  ['signature-s-long', 'report-signature-encoding', 0x32f, [1], 'S has 48 bytes of 72.'],
  ['signature-padding', 'report-signature-encoding', 0x330, [1], 'Behind S there are zeros.'],
  ['signature-last-byte', 'report-signature-encoding', 0x49f, [1], 'The report ends with zeros.'],
  ['family-17', 'product', 0x188, [0x17], 'Naples and Rome have no SNP.'],
  ['model-20', 'product', 0x189, [0x20], 'Family 0x19, model 0x20 is no server processor.'],
  ['model-9f', 'product', 0x189, [0x9f], 'The model below Bergamo.'],
  ['model-b0', 'product', 0x189, [0xb0], 'The model above Siena.'],
  ['turin-model-12', 'product', 0x188, [0x1a, 0x12], 'The model above Turin.'],
  ['venice', 'product', 0x188, [0x1a, 0x50], 'Its TCB layout is not documented.'],
  ['tcb-current-byte-2', 'report-tcb', 0x03a, [1], 'A byte that Milan leaves zero.'],
  ['tcb-reported-byte-5', 'report-tcb', 0x185, [1], 'A byte that Milan leaves zero.'],
  ['tcb-committed-byte-3', 'report-tcb', 0x1e3, [1], 'A byte that Milan leaves zero.'],
  ['tcb-launch-byte-4', 'report-tcb', 0x1f4, [1], 'A byte that Milan leaves zero.'],
];

/** Reports that are well-formed, whatever else is to be said of them. */
const GOOD: readonly [string, EvidenceOptions, string][] = [
  ['milan-v2', { model: 'Milan', reportVersion: 2 }, 'Version 2: no CPUID, no vectors.'],
  ['milan-v3', { model: 'Milan', reportVersion: 3 }, 'Version 3: with CPUID.'],
  ['milan-v4', { model: 'Milan', reportVersion: 4 }, 'Version 4, laid out as version 3.'],
  ['milan-v5', { model: 'Milan' }, 'Version 5: with mitigation vectors.'],
  ['genoa-v5', { model: 'Genoa' }, 'Genoa.'],
  ['bergamo-v5', { model: 'Bergamo' }, 'Bergamo: family 0x19, model 0xa0.'],
  ['turin-v3', { model: 'Turin', reportVersion: 3 }, 'Turin: another TCB layout, CHIP_ID of 8.'],
  ['turin-v5', { model: 'Turin' }, 'Turin of version 5.'],
  ['vlek', { request: { signingKey: 'VLEK' } }, 'SIGNING_KEY 1.'],
  ['vmpl-3', { request: { vmpl: 3 } }, 'The least privileged level.'],
  ['masked-chip', { misbehave: ['masked-chip'] }, 'MASK_CHIP_KEY, and CHIP_ID zero.'],
  ['debug', { misbehave: ['debug'] }, 'A policy decides on debugging, no parser.'],
  ['unknown-platform-bits', { misbehave: ['unknown-platform-bits'] }, 'A policy decides on them.'],
];

export function reportVectors(): ReportVector[] {
  const { report } = evidenceOf();
  const vector = (
    name: string,
    expected: ReportVector['expected'],
    bytes: Uint8Array,
    comment: string,
  ): ReportVector => ({ name, comment, report: bytes, expected });
  const v2 = evidenceOf({ reportVersion: 2 }).report;
  const v3 = evidenceOf({ reportVersion: 3 }).report;
  const v4 = evidenceOf({ reportVersion: 4 }).report;
  const turin = evidenceOf({ model: 'Turin' }).report;
  return [
    ...GOOD.map(([name, options, comment]) =>
      vector(name, 'accepted', evidenceOf(options).report, comment),
    ),
    ...PATCHES.map(([name, expected, offset, bytes, comment]) =>
      vector(name, expected, patched(report, offset, bytes), comment),
    ),
    vector('empty', 'report-length', new Uint8Array(), 'No byte at all.'),
    vector('one-byte-short', 'report-length', report.subarray(0, 1183), '1183 bytes.'),
    vector('one-byte-long', 'report-length', Buffer.concat([report, Buffer.of(0)]), '1185 bytes.'),
    vector('signed-part-alone', 'report-length', report.subarray(0, 0x2a0), 'No signature.'),
    vector(
      'response-envelope',
      'report-length',
      Buffer.concat([Buffer.of(0, 0, 0, 0, 0xa0, 4, 0, 0), Buffer.alloc(24), report]),
      'A whole MSG_REPORT_RSP, with the 32 bytes before the report.',
    ),
    vector('zeros', 'report-version', new Uint8Array(1184), 'As a host hands out under an SVSM.'),
    vector(
      'v2-with-cpuid',
      'report-reserved',
      patched(v2, 0x188, [0x19, 0x01, 0x01]),
      'Version 2 has zeros where later ones have CPUID.',
    ),
    vector(
      'v2-with-turin-chip',
      'product',
      patched(v2, 0x1a8, new Array<number>(56).fill(0)),
      'A CHIP_ID of 8 bytes is that of a Turin, whose TCB version 2 cannot tell.',
    ),
    vector(
      'v3-with-launch-mitigations',
      'report-reserved',
      patched(v3, 0x1f8, [1]),
      'Version 3 has zeros where version 5 has mitigation vectors.',
    ),
    vector(
      'v4-with-current-mitigations',
      'report-reserved',
      patched(v4, 0x207, [1]),
      'Version 4 has zeros where version 5 has mitigation vectors.',
    ),
    vector(
      'turin-tcb-byte-6',
      'report-tcb',
      patched(turin, 0x186, [25]),
      "SNP's level where Milan has it, in a report of a Turin.",
    ),
    vector(
      'milan-tcb-of-turin',
      'report-tcb',
      patched(report, 0x180, [1, 1, 1, 4, 0, 0, 0, 82]),
      'A TCB of a Turin in a report of a Milan.',
    ),
    vector(
      'version-before-reserved',
      'report-version',
      patched(patched(report, 0x208, [1]), 0, [9]),
      'Two faults: the version is looked at first.',
    ),
    vector(
      'policy-before-vmpl',
      'report-guest-policy',
      patched(bad('host-request').report, 0x00f, [0x80]),
      'Two faults: the policy is looked at first.',
    ),
  ];
}
