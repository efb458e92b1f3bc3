/**
 * Endorsement key certificates with one fault in their extensions each.
 *
 * @module
 */
import type { Extension } from '../../attestation/src/certificates/extensions.ts';
import { Tag } from '../../attestation/src/der/tags.ts';
import {
  ia5String,
  integer,
  octetString,
  utf8String,
  value,
} from '../../attestation/src/der/writer.ts';
import { vector } from './certificates.ts';
import type { VekForgery } from './forge.ts';
import type { EvidenceVector } from './format.ts';
import { CHAIN } from './processor.ts';

const ARC = '1.3.6.1.4.1.3704.1';

/** By the names of the key distribution service; all but fmcSPL and CSP_ID are in a Milan VCEK. */
const IDS = {
  structVersion: `${ARC}.1`,
  productName: `${ARC}.2`,
  blSPL: `${ARC}.3.1`,
  teeSPL: `${ARC}.3.2`,
  snpSPL: `${ARC}.3.3`,
  spl4: `${ARC}.3.4`,
  spl5: `${ARC}.3.5`,
  spl6: `${ARC}.3.6`,
  spl7: `${ARC}.3.7`,
  ucodeSPL: `${ARC}.3.8`,
  fmcSPL: `${ARC}.3.9`,
  hwid: `${ARC}.4`,
  cspId: `${ARC}.5`,
} as const;
type ExtensionName = keyof typeof IDS;

const IN_MILAN = (Object.keys(IDS) as ExtensionName[]).filter(
  (name) => name !== 'fmcSPL' && name !== 'cspId',
);

/** A change to the extension of a name. */
function on(
  name: ExtensionName,
  change: (extension: Extension) => readonly Extension[],
): VekForgery {
  return {
    extensions: (list) =>
      list.flatMap((extension) => (extension.id === IDS[name] ? change(extension) : [extension])),
  };
}

const valued = (name: ExtensionName, bytes: Uint8Array) =>
  on(name, (extension) => [{ ...extension, value: bytes }]);

const added = (id: string, bytes: Uint8Array): VekForgery => ({
  extensions: (list) => [...list, { id, critical: false, value: bytes }],
});

const { id: CHIP } = CHAIN.chip;

const OTHERS: readonly (readonly [name: string, comment: string, forgery: VekForgery])[] = [
  ['extensions-none', 'No extension at all.', { extensions: () => [] }],
  ['unknown', 'An extension that nobody knows.', added(`${ARC}.6`, integer(0))],
  [
    'unknown-of-x509',
    'A subject key identifier.',
    added('2.5.29.14', octetString(CHIP.subarray(0, 20))),
  ],
  [
    'hwid-critical',
    'An extension marked critical.',
    on('hwid', (extension) => [{ ...extension, critical: true }]),
  ],
  ['hwid-wrapped', 'HWID in an OCTET STRING of its own.', valued('hwid', octetString(CHIP))],
  ['hwid-short', 'HWID of 63 bytes.', valued('hwid', CHIP.subarray(0, 63))],
  ['hwid-long', 'HWID of 65 bytes.', valued('hwid', Buffer.concat([CHIP, Buffer.of(0)]))],
  [
    'hwid-of-turin',
    'HWID of 8 bytes in a certificate of a Milan.',
    valued('hwid', CHIP.subarray(0, 8)),
  ],
  ['hwid-empty', 'HWID of no byte.', valued('hwid', new Uint8Array())],
  [
    'csp-id-beside-hwid',
    'Both a HWID and a CSP_ID.',
    added(IDS.cspId, ia5String('CN=simulated.invalid')),
  ],
  ['fmc-on-milan', 'An FMC level, which Turin alone has.', added(IDS.fmcSPL, integer(0))],
  ['spl4-not-zero', 'A reserved level that is not zero.', valued('spl4', integer(1))],
  ['spl7-not-zero', 'A reserved level that is not zero.', valued('spl7', integer(255))],
  [
    'ucode-negative',
    '0xdb without the zero before it is a negative number.',
    valued('ucodeSPL', Buffer.of(2, 1, 0xdb)),
  ],
  ['bl-padded', 'A level with a needless zero before it.', valued('blSPL', Buffer.of(2, 2, 0, 4))],
  ['snp-above-byte', 'A level of 256.', valued('snpSPL', integer(256))],
  ['snp-octet-string', 'A level that is no INTEGER.', valued('snpSPL', octetString(Buffer.of(25)))],
  ['snp-trailing', 'A byte behind a level.', valued('snpSPL', Buffer.of(2, 1, 25, 0))],
  ['snp-empty', 'A level of no octet.', valued('snpSPL', value(Tag.INTEGER))],
  ['struct-version-2', 'A layout that nobody knows.', valued('structVersion', integer(2))],
  [
    'struct-version-of-turin',
    'The layout of a Turin on a Milan.',
    valued('structVersion', integer(1)),
  ],
  [
    'product-name-utf8',
    'A product name that is no IA5String.',
    valued('productName', utf8String('Milan-B0')),
  ],
  [
    'product-name-empty',
    'A product name of no letter.',
    valued('productName', value(Tag.IA5_STRING)),
  ],
  [
    'product-name-control',
    'A product name that is not ASCII.',
    valued('productName', value(Tag.IA5_STRING, Buffer.of(0x4d, 0xff))),
  ],
  ['vlek-without-csp-id', 'A VLEK of no provider.', { kind: 'VLEK', ...on('cspId', () => []) }],
  [
    'vlek-csp-id-doubled',
    'A VLEK of two providers.',
    { kind: 'VLEK', ...on('cspId', (extension) => [extension, extension]) },
  ],
  [
    'vlek-csp-id-utf8',
    'A CSP_ID that is no IA5String.',
    { kind: 'VLEK', ...valued('cspId', utf8String('CN=simulated.invalid')) },
  ],
  [
    'turin-without-fmc',
    'A Turin without its FMC level.',
    { model: 'Turin', ...on('fmcSPL', () => []) },
  ],
  [
    'turin-fmc-doubled',
    'Two FMC levels.',
    { model: 'Turin', ...on('fmcSPL', (extension) => [extension, extension]) },
  ],
  [
    'turin-with-spl4',
    'A level that Turin does not have.',
    { model: 'Turin', ...added(IDS.spl4, integer(0)) },
  ],
  [
    'turin-hwid-long',
    'HWID of 64 bytes in a certificate of a Turin.',
    { model: 'Turin', ...valued('hwid', CHIP) },
  ],
];

export function extensionVectors(): EvidenceVector[] {
  const dropped = IN_MILAN.map((name) =>
    vector(
      `${name}-dropped`,
      `Without ${name}.`,
      on(name, () => []),
      'vek-extensions',
    ),
  );
  const doubled = IN_MILAN.map((name) =>
    vector(
      `${name}-doubled`,
      `Twice with ${name}.`,
      on(name, (extension) => [extension, extension]),
      'vek-extensions',
    ),
  );
  const others = OTHERS.map(([name, comment, forgery]) =>
    vector(name, comment, forgery, 'vek-extensions'),
  );
  return [...dropped, ...doubled, ...others];
}
