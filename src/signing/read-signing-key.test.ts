import { execFileSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { A3sError } from '../errors.ts';
import { parseCosignKey } from './cosign-key.ts';
import { readSigningKey } from './read-signing-key.ts';

const PASSWORD = 'öpen sesame';
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-keys-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function tool(program: string, ...args: readonly string[]): Buffer {
  return execFileSync(program, args, {
    cwd: directory,
    env: { PATH: process.env['PATH'], HOME: directory, COSIGN_PASSWORD: PASSWORD },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
}

const file = (name: string): string => readFileSync(join(directory, name), 'utf8');
const never = () => Promise.reject(new Error('no password is needed'));
const answer = (text: string | undefined) => async () => text;

async function expectSigns(text: string, publicPem: string, password = never): Promise<void> {
  const key = await readSigningKey(text, 'key.pem', password);
  const publicKey = createPublicKey(publicPem);
  const hash = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const message = Buffer.from('a message');
  expect(verify(hash, message, publicKey, key.sign(message))).toBe(true);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  expect(key.keyId).toBe(execFileSync('sha256sum', { input: spki }).toString().slice(0, 64));
}

async function refusal(text: string, password: string | null = PASSWORD): Promise<A3sError> {
  const error = await readSigningKey(text, 'key.pem', answer(password ?? undefined)).catch(
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(A3sError);
  expect(error).toMatchObject({ code: 'key-invalid' });
  expect(error.message).toMatch(/^Cannot sign with key\.pem: /);
  expect(`${error.message}${error.remedy}${error.cause}`).not.toContain(PASSWORD);
  return error;
}

describe('a key of openssl', () => {
  it.each([
    ['EC', 'ec_paramgen_curve:P-256'],
    ['EC', 'ec_paramgen_curve:P-384'],
    ['EC', 'ec_paramgen_curve:P-521'],
    ['RSA', 'rsa_keygen_bits:2048'],
    ['ED25519', undefined],
  ])('signs with a key of openssl, encrypted or not: %s %s', async (kind, option) => {
    const options = option === undefined ? [] : ['-pkeyopt', option];
    tool('openssl', 'genpkey', '-algorithm', kind, ...options, '-out', 'plain.pem');
    const publicPem = tool('openssl', 'pkey', '-in', 'plain.pem', '-pubout').toString();
    await expectSigns(file('plain.pem'), publicPem);
    const cipher = ['-topk8', '-v2', 'aes-256-cbc', '-passout', `pass:${PASSWORD}`];
    tool('openssl', 'pkcs8', ...cipher, '-in', 'plain.pem', '-out', 'encrypted.pem');
    await expectSigns(file('encrypted.pem'), publicPem, answer(PASSWORD) as typeof never);
    expect((await refusal(file('encrypted.pem'), 'another')).message).toContain(
      'the password is wrong, or the file was changed',
    );
    expect((await refusal(file('encrypted.pem'), null)).remedy).toContain('COSIGN_PASSWORD');
  });

  it.each([
    [['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'], 'an RSA key of 1024 bits'],
    [['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], 'of the kind secp256k1'],
    [['-algorithm', 'X25519'], 'of the kind x25519'],
    [['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'], 'of the kind rsa-pss'],
  ])('refuses a key of openssl generated with %j', async (args, message) => {
    tool('openssl', 'genpkey', ...args, '-out', 'other.pem');
    expect((await refusal(file('other.pem'))).message).toContain(message);
  });

  it('refuses a key in the format of openssl, with the command that converts it', async () => {
    tool('openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'sec1.pem');
    const error = await refusal(file('sec1.pem'));
    expect(error.message).toContain('another format than PKCS #8, "EC PRIVATE KEY"');
    expect(error.remedy).toBe('Convert it with openssl pkcs8 -topk8.');
  });
});

describe('a key of cosign', () => {
  beforeAll(() => void tool('cosign', 'generate-key-pair'));

  it('signs with a key of cosign under its current and its former label', async () => {
    const text = file('cosign.key');
    const password = answer(PASSWORD) as typeof never;
    await expectSigns(text, file('cosign.pub'), password);
    await expectSigns(text.replaceAll('SIGSTORE', 'COSIGN'), file('cosign.pub'), password);
  });

  it('refuses a key of cosign with a wrong password, and a changed one', async () => {
    const text = file('cosign.key');
    expect((await refusal(text, '')).message).toContain('the password is wrong');
    const changed = edited(text, (document) => ({
      ...document,
      ciphertext: Buffer.alloc(200, 7).toString('base64'),
    }));
    expect((await refusal(changed)).message).toContain('the file was changed');
  });

  it.each([
    ['costs too much memory', { N: 2 ** 26, r: 8, p: 1 }, 'must not need more than'],
    ['takes too long', { N: 2 ** 16, r: 8, p: 1000 }, 'N times r times p'],
    ['has a cost that is no power of two', { N: 65_535, r: 8, p: 1 }, 'power of two'],
    ['has a negative cost', { N: 2, r: -1, p: 1 }, 'kdf.params.r'],
  ])('refuses a key of cosign that %s before it derives the key', async (_, params, message) => {
    const changed = edited(file('cosign.key'), (document) => ({
      ...document,
      kdf: { ...document['kdf'], params },
    }));
    expect((await refusal(changed)).message).toContain(message);
  });

  it.each([
    ['another cipher', { cipher: { name: 'aes', nonce: '' } }],
    ['an additional member', { more: 1 }],
    ['a short nonce', { cipher: { name: 'nacl/secretbox', nonce: 'AAAA' } }],
  ])('refuses a key of cosign with %s', async (_, change) => {
    const changed = edited(file('cosign.key'), (document) => ({ ...document, ...change }));
    expect((await refusal(changed)).message).toContain("it is no key file of cosign's");
  });
});

type Document = Record<string, object>;

function edited(pem: string, change: (document: Document) => object): string {
  const [, label = '', body = ''] = /-----BEGIN (.*)-----([^-]*)/.exec(pem) ?? [];
  const document = JSON.parse(Buffer.from(body, 'base64').toString());
  const changed = Buffer.from(JSON.stringify(change(document))).toString('base64');
  return `-----BEGIN ${label}-----\n${changed}\n-----END ${label}-----\n`;
}

const pem = (label: string, body: string): string =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

describe('what is no private key', () => {
  it.each([
    ['', 'it is no key in PEM'],
    ['hello', 'it is no key in PEM'],
    [pem('PUBLIC KEY', 'AAAA'), 'it is a public key: signing takes the private key'],
    [pem('CERTIFICATE', 'AAAA'), 'it is a certificate'],
    [pem('OPENSSH PRIVATE KEY', 'AAAA'), 'another format than PKCS #8'],
    [pem('MESSAGE', 'AAAA'), 'it is no private key'],
    [pem('PRIVATE KEY', 'AAAA'), 'is no private key in PKCS #8'],
    [pem('PRIVATE KEY', '!!'), 'is not base64'],
    [pem('PRIVATE KEY', ''), 'is not base64'],
    [pem('PRIVATE KEY', 'AAAA').repeat(2), 'it has 2 PEM blocks'],
    [`${pem('PRIVATE KEY', 'AAAA')}and more`, 'something is around it'],
    ['-----BEGIN PRIVATE KEY-----\nAAAA', 'its PEM block does not end'],
    [pem('ENCRYPTED SIGSTORE PRIVATE KEY', 'c2VjcmV0'), "it is no key file of cosign's"],
  ])('refuses %j as a private key without quoting it', async (text, message) => {
    const error = await refusal(text);
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/AAAA|secret/);
  });
});

it('reads any document as a key of cosign or refuses it', {
  timeout: FUZZ_TIMEOUT,
}, async () => {
  await fuzz(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      try {
        parseCosignKey(Buffer.from(text));
      } catch (error) {
        if (!(error instanceof A3sError)) throw error;
      }
    }),
  );
});
