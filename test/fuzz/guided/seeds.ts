/**
 * Writes the fuzzer's seeds, which are taken from the test vectors: `seeds.js WORK`.
 *
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeCbor } from '../../../attestation/src/ear/cbor-writer.ts';
import { TaggedItem } from '../../../attestation/src/ear/claim-value.ts';
import { CBOR_FORM, JSON_FORM } from '../../../attestation/src/ear/encoding.ts';
import { encodeJson } from '../../../attestation/src/ear/json.ts';
import { EAR } from '../../../attestation/src/ear/testing/tokens.ts';
import { writeClaims } from '../../../attestation/src/ear/write-claims.ts';
import { encodeCertificateTable } from '../../../attestation/src/envelopes/certificate-table.ts';
import { encodePem } from '../../../attestation/src/envelopes/encodings/pem.ts';
import {
  AREAS,
  readReportVectors,
  readVectorFile,
  readVectors,
} from '../../../attestation/src/testing/read-vectors.ts';

const [, , work = ''] = process.argv;
const MOST = 20;

function seed(target: string, inputs: readonly (Uint8Array | string)[]): void {
  const folder = join(work, 'corpus', target);
  mkdirSync(folder, { recursive: true });
  for (const [index, input] of inputs.slice(0, MOST).entries()) {
    writeFileSync(join(folder, `seed-${index}`), input);
  }
}

const evidence = AREAS.flatMap(readVectors);
const veks = evidence.flatMap(({ evidence: { vek } }) => (vek === undefined ? [] : [vek]));
const authorities = evidence.flatMap(({ evidence: { authorities } }) => authorities ?? []);
const crls = evidence.flatMap(({ options: { crl } }) => (crl === undefined ? [] : [crl]));
const tables = veks.map((vcek) => encodeCertificateTable({ vcek }));
/** A member of each vector of a folder, which is in base64. */
const membersOf = (folder: string, member: string): Uint8Array[] =>
  readdirSync(join('test/vectors', folder)).map((file) => {
    const vector = JSON.parse(readFileSync(join('test/vectors', folder, file), 'utf8'));
    return Buffer.from(String(vector[member] ?? ''), 'base64');
  });
const text = (value: unknown): string => JSON.stringify(value);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

seed(
  'report',
  readReportVectors().map(({ report }) => report),
);
seed('vek', veks);
seed('ca', authorities);
seed('crl', crls);
seed(
  'pem',
  veks.map((der) => encodePem('CERTIFICATE', der)),
);
seed('certificate-table', tables);
seed('simulated-roots', [readVectorFile('roots.pem')]);
seed('policy', [
  ...evidence.flatMap(({ policy }) => (policy === undefined ? [] : [text(policy)])),
  readFileSync('policies/defaults/attestation-strict.yaml'),
]);
seed(
  'evidence',
  evidence.map(({ evidence: { report, vek = new Uint8Array() } }) => Buffer.concat([report, vek])),
);
seed(
  'extended-report',
  evidence.map(({ evidence: { report } }, index) =>
    Buffer.concat([report, tables[index % tables.length] ?? new Uint8Array()]),
  ),
);
seed(
  'coco',
  evidence.map(({ evidence: { report, vek = new Uint8Array() } }) =>
    text({
      attestation_report: base64(report),
      cert_chain: [{ cert_type: 'VCEK', data: [...vek] }],
    }),
  ),
);
seed('launch-spec', membersOf('launch-spec', 'text'));
seed('ratls-certificate', membersOf('ratls/certificates', 'certificate'));
seed('ratls-evidence', membersOf('ratls/evidence', 'extension'));
seed('sealing', membersOf('sealing', 'envelope'));
seed('ratls-answer', [
  text({
    evidence: {
      schema: 'a3s-box/evidence/v1',
      tee: 'simulated',
      report: base64(new Uint8Array(1184)),
      certificates: '',
    },
    instance: '0'.repeat(32),
    specDigest: '0'.repeat(64),
    spec: base64(Buffer.from('{}')),
  }),
  `!${text({ error: { code: 'not-attested', message: 'no' } })}`,
]);
/** Nothing but the signature is left out, which the targets do not look at. */
const part = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
seed('ear-jwt', [
  `${part(Buffer.from('{"alg":"ES256"}'))}.${part(encodeJson(writeClaims(EAR, JSON_FORM)))}.AAAA`,
]);
seed('ear-cwt', [
  encodeCbor(
    new TaggedItem(18, [
      encodeCbor(new Map([[1, -7]])),
      new Map(),
      encodeCbor(writeClaims(EAR, CBOR_FORM)),
      new Uint8Array(64),
    ]),
  ),
]);
