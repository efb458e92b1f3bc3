import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Problem } from '../artifact/problem.ts';
import { certificateFromPem, identityOf, readCertificate } from './signer-certificate.ts';

const SUBJECT_NAME = '2.5.29.17';
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';
const ISSUER = 'https://issuer.example';
const USER_NAME_OID = '060a2b0601040183bf300107';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-certificates-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function extension(oid: string, value: Buffer) {
  return { oid: { id: oid.split('.').map(Number) }, value };
}

function der(tag: number, ...content: readonly (Buffer | string)[]): Buffer {
  const value = Buffer.concat(content.map((one) => Buffer.from(one)));
  const head = value.length < 0x80 ? [value.length] : [0x81, value.length];
  return Buffer.concat([Buffer.from([tag, ...head]), value]);
}

function namesOf(...names: readonly Buffer[]) {
  return [extension(ISSUER_V2, der(0x0c, ISSUER)), extension(SUBJECT_NAME, der(0x30, ...names))];
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

describe('identityOf', () => {
  const userName = der(0xa0, der(0x0c, 'ci!builds'));

  it.each([
    ['a URI', der(0x86, 'https://ci.example/x'), 'https://ci.example/x'],
    ['an address', der(0x81, 'ci@team.example'), 'ci@team.example'],
    ['a user name', der(0xa0, Buffer.from(USER_NAME_OID, 'hex'), userName), 'ci!builds'],
    ['a long URI', der(0x86, `https://${'x'.repeat(150)}`), `https://${'x'.repeat(150)}`],
  ])('reads the identity in a certificate: %s', (_, name, subject) => {
    expect(identityOf(namesOf(name))).toEqual({ issuer: ISSUER, subject });
  });

  it.each([
    ['a name with the high bit set', [der(0x81, Buffer.from('ci@te\xe1m', 'latin1'))]],
    ['a name with a zero byte', [der(0x81, 'ci@team.example\0.evil.example')]],
    ['a name with a space', [der(0x81, 'ci@team.example ')]],
    ['two names', [der(0x81, 'a@b'), der(0x81, 'c@d')]],
    ['no name', []],
    ['a DNS name', [der(0x82, 'team.example')]],
    ['another kind of name', [der(0xa0, Buffer.from('06022a03', 'hex'), userName)]],
    ['a length that is not minimal in bytes', [Buffer.from('8184000000036140622e', 'hex')]],
    ['a name that is cut', [Buffer.from('810561', 'hex')]],
  ])('refuses the identity in a certificate with %s', (_, names) => {
    expect(codeOf(() => identityOf(namesOf(...names)))).toBe('certificate-malformed');
  });

  it('refuses a certificate with different issuers, and text that is not UTF-8', () => {
    const name = extension(SUBJECT_NAME, der(0x30, der(0x81, 'a@b')));
    const v2 = extension(ISSUER_V2, der(0x0c, ISSUER));
    expect(identityOf([name, v2, extension(ISSUER_V1, Buffer.from(ISSUER))]).issuer).toBe(ISSUER);
    for (const extensions of [
      [name, v2, extension(ISSUER_V1, Buffer.from(`${ISSUER}\n`))],
      [name, extension(ISSUER_V1, Buffer.from([0xff]))],
      [name, extension(ISSUER_V2, Buffer.from(ISSUER))],
      [name, name, v2],
      [name],
      [v2],
    ]) {
      expect(codeOf(() => identityOf(extensions))).toBe('certificate-malformed');
    }
  });

  it(
    'refuses any bytes as extensions with a Problem, or reads them',
    async () => {
      const bytes = fc.uint8Array({ maxLength: 40 }).map((one) => Buffer.from(one));
      const oid = fc.constantFrom(SUBJECT_NAME, ISSUER_V1, ISSUER_V2);
      const extensions = fc.array(fc.tuple(oid, bytes), { maxLength: 4 });
      await fuzz(
        fc.property(extensions, (all) => {
          codeOf(() => identityOf(all.map(([id, value]) => extension(id, value))));
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

describe('readCertificate', () => {
  it.each([
    ['of an authority', 'certificate-usage', ['basicConstraints=critical,CA:TRUE']],
    ['for servers', 'certificate-usage', ['extendedKeyUsage=serverAuth']],
    ['for any usage', 'certificate-usage', []],
    ['that is in no log', 'sct-missing', ['extendedKeyUsage=codeSigning']],
  ])('refuses a certificate %s as %s', (_, code, extensions) => {
    expect(codeOf(() => readCertificate(certificate(extensions)))).toBe(code);
  });

  it('refuses bytes that are no certificate, and megabytes', () => {
    expect(codeOf(() => readCertificate(Buffer.from('x')))).toBe('certificate-malformed');
    expect(codeOf(() => readCertificate(Buffer.alloc(1_000_000)))).toBe('too-large');
  });
});

describe('certificateFromPem', () => {
  it('reads exactly one certificate from PEM', () => {
    const raw = certificate([]);
    const pem = `-----BEGIN CERTIFICATE-----\n${raw.toString('base64')}\n-----END CERTIFICATE-----\n`;
    expect(certificateFromPem(pem)).toEqual(raw);
    for (const bad of [pem + pem, '', raw.toString('base64'), pem.replaceAll('CERT', 'CRET')]) {
      expect(codeOf(() => certificateFromPem(bad))).toBe('certificate-malformed');
    }
    expect(codeOf(() => certificateFromPem(' '.repeat(20_000) + pem))).toBe('too-large');
  });
});

function certificate(extensions: readonly string[]): Buffer {
  const out = join(directory, 'one.der');
  const all = ['basicConstraints=CA:FALSE', ...extensions].slice(-1);
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', '/dev/null', '-subj', '/CN=x', '-outform', 'DER', '-out', out],
      ...all.flatMap((one) => ['-addext', one]),
      ...(all.some((one) => one.startsWith('basic'))
        ? []
        : ['-addext', 'basicConstraints=CA:FALSE']),
    ],
    { stdio: 'ignore' },
  );
  return readFileSync(out);
}
