import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sampleReport } from '../report/testing/sample.ts';
import { base64, VCEK } from './testing/certificates.ts';
import { evidenceFromTinfoilJson } from './tinfoil.ts';

const FORMAT = 'https://tinfoil.sh/predicate/sev-snp-guest/v2';
const body = (bytes: Uint8Array) => base64(Uint8Array.from(gzipSync(bytes)));
const document = (change: object = {}) => ({
  format: FORMAT,
  body: body(sampleReport()),
  ...change,
});
const bundle = (change: object = {}) => ({
  domain: 'inference.example',
  enclaveAttestationReport: document(),
  digest: '5e'.repeat(32),
  sigstoreBundle: { mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json' },
  vcek: base64(VCEK),
  enclaveCert: '-----BEGIN CERTIFICATE-----\n',
  ...change,
});

describe('evidenceFromTinfoilJson', () => {
  it('reads report and VCEK from a Tinfoil bundle', () => {
    const expected = { report: sampleReport(), vek: VCEK, authorities: [] };
    expect(evidenceFromTinfoilJson(bundle())).toEqual(expected);
    expect(evidenceFromTinfoilJson(JSON.stringify(bundle()))).toEqual(expected);
  });

  it('reads the report from a Tinfoil document alone', () => {
    expect(evidenceFromTinfoilJson(document())).toEqual({ report: sampleReport() });
  });

  it.each<[string, unknown, string]>([
    ['another format', document({ format: FORMAT.replace('v2', 'v1') }), 'format must be'],
    ['no body', document({ body: undefined }), 'body must be base64'],
    ['a body without compression', document({ body: base64(sampleReport()) }), 'in gzip'],
    ['a body with a byte behind it', document({ body: `${body(sampleReport())}AA==` }), 'body'],
    ['less than a report', document({ body: body(sampleReport().subarray(1)) }), 'gzip of 1184'],
    ['more than a report', document({ body: body(new Uint8Array(1185)) }), '1184 bytes in gzip'],
    ['much more than a report', document({ body: body(new Uint8Array(900_000)) }), 'in gzip'],
    ['a document with more', document({ nonce: '' }), 'without "nonce"'],
    ['a bundle with more', bundle({ nonce: '' }), 'without "nonce"'],
    ['a bundle without a VCEK', bundle({ vcek: undefined }), 'vcek must be base64'],
    ['a malformed VCEK', bundle({ vcek: base64(Uint8Array.of(1, 2)) }), 'vcek'],
    ['a bundle without a document', bundle({ enclaveAttestationReport: null }), 'an object'],
    ['no object', null, 'an object'],
    ['text', '"text"', 'an object'],
    ['a name twice', `{"domain": "", ${JSON.stringify(bundle()).slice(1)}`, 'second "domain"'],
  ])('refuses a Tinfoil document with %s', (_, input, message) => {
    expect(() => evidenceFromTinfoilJson(input)).toThrow(
      expect.objectContaining({
        code: 'json-malformed',
        message: expect.stringContaining(message),
      }),
    );
  });
});
