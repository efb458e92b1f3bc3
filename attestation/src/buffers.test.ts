/**
 * A Buffer is a Uint8Array, but `slice` of one shares its memory: parsers read both alike, and
 * change neither.
 *
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseCrl } from './certificates/crl.ts';
import { parseVek } from './certificates/vek.ts';
import {
  encodeCertificateTable,
  evidenceFromCertificateTable,
  parseCertificateTable,
} from './envelopes/certificate-table.ts';
import { decodePem, encodePem } from './envelopes/encodings/pem.ts';
import { evidenceFromExtendedReport } from './envelopes/extended-report.ts';
import { parseIdAuth } from './measure/id-block/id-auth.ts';
import { parseIdBlock } from './measure/id-block/id-block.ts';
import { signIdBlock, verifyIdBlock } from './measure/id-block/id-sign.ts';
import { measuredOvmf } from './measure/ovmf/ovmf.ts';
import { buildOvmf } from './measure/testing/build-ovmf.ts';
import { parseReport } from './report/parse.ts';
import { unverifiedClaims } from './report/parsed-report.ts';
import { readVector } from './testing/read-vectors.ts';
import { verify } from './verify/verify.ts';
import { verifyCrl } from './verify/verify-crl.ts';

const { evidence, options } = readVector('hardware/genoa-v5');
const { report, vek = new Uint8Array() } = evidence;
const { crl = new Uint8Array(), now } = options;
const table = encodeCertificateTable({ vcek: vek });
const pair = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const { idBlock, idAuth } = signIdBlock({
  idBlock: {
    launchDigest: new Uint8Array(48).fill(1),
    familyId: new Uint8Array(16).fill(2),
    imageId: new Uint8Array(16).fill(3),
    guestSvn: 4,
    policy: 0x30000n,
  },
  idKey: pair.privateKey,
  authorKey: pair.privateKey,
});

const text = (bytes: Uint8Array): Uint8Array =>
  new TextEncoder().encode(encodePem('CERTIFICATE', bytes));

const PARSERS: Readonly<Record<string, readonly [Uint8Array, (bytes: Uint8Array) => unknown]>> = {
  parseReport: [report, (bytes) => unverifiedClaims(parseReport(bytes))],
  parseVek: [vek, parseVek],
  parseCrl: [crl, parseCrl],
  decodePem: [text(vek), (bytes) => decodePem(bytes, 'CERTIFICATE')],
  parseCertificateTable: [table, parseCertificateTable],
  evidenceFromCertificateTable: [table, (bytes) => evidenceFromCertificateTable(report, bytes)],
  evidenceFromExtendedReport: [Buffer.concat([report, table]), evidenceFromExtendedReport],
  measuredOvmf: [buildOvmf(), measuredOvmf],
  parseIdBlock: [idBlock, parseIdBlock],
  parseIdAuth: [idAuth, parseIdAuth],
  'verifyIdBlock, the block': [idBlock, (bytes) => verifyIdBlock(bytes, idAuth)],
  'verifyIdBlock, the authentication': [idAuth, (bytes) => verifyIdBlock(idBlock, bytes)],
  'verify, the report': [report, (bytes) => verify({ report: bytes, vek }, options).claims],
  'verify, the certificate': [vek, (bytes) => verify({ report, vek: bytes }, options).claims],
  verifyCrl: [crl, (bytes) => verifyCrl(bytes, 'Genoa', now)],
};

describe('a Buffer', () => {
  it.each(Object.entries(PARSERS))(
    'parses a Buffer like a Uint8Array, and does not change it: %s',
    (_, [bytes, parse]) => {
      const plain = Uint8Array.from(bytes);
      const buffer = Buffer.from(bytes);
      const expected = parse(plain);
      expect(parse(buffer)).toEqual(expected);
      expect(parse(buffer)).toEqual(expected);
      expect(buffer.equals(bytes)).toBe(true);
    },
  );
});
