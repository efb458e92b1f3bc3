import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TestAuthority, testAuthority } from '../testing/test-authority.ts';
import { NO_CERTIFICATES, readHostCertificates } from './certs-directory.ts';

describe('certs.d', () => {
  let root: string;
  let authority: TestAuthority;
  let certs: string;
  const host = 'r.example:5000';
  const put = (source: string, name: string) => copyFileSync(source, join(certs, host, name));
  const read = () => readHostCertificates([join(root, 'none'), certs], host);

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'a3s-certs-'));
    authority = testAuthority(root);
    authority.client('one');
    authority.client('two');
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  beforeEach(() => {
    certs = mkdtempSync(join(root, 'certs.d-'));
    mkdirSync(join(certs, host));
  });

  it('reads authorities and pairs of certificate and key from certs.d', async () => {
    put(authority.caFile, 'ca.crt');
    for (const name of ['one', 'two']) {
      put(join(root, `${name}.crt`), `${name}.cert`);
      put(join(root, `${name}.key`), `${name}.key`);
    }
    writeFileSync(join(certs, host, 'README'), 'not read');
    const found = await read();
    expect(found.authorities).toEqual([authority.ca]);
    expect(found.clients).toHaveLength(2);
  });

  it('accepts a missing directory of certs.d, and looks for none outside of it', async () => {
    expect(await readHostCertificates([certs], 'other.example')).toBe(NO_CERTIFICATES);
    expect(await readHostCertificates([certs], '..')).toBe(NO_CERTIFICATES);
    expect(await readHostCertificates([certs], 'a/../../b')).toBe(NO_CERTIFICATES);
  });

  const refused: [string, () => void, RegExp][] = [
    ['a certificate without key', () => put(join(root, 'one.crt'), 'x.cert'), /there is no x\.key/],
    ['a key without certificate', () => put(join(root, 'one.key'), 'x.key'), /there is no x\.cert/],
    ['an authority that is none', () => put(join(root, 'one.key'), 'ca.crt'), /not a certificate/],
    [
      'a key of another certificate',
      () => {
        put(join(root, 'one.crt'), 'x.cert');
        put(join(root, 'two.key'), 'x.key');
      },
      /do not belong together/,
    ],
    [
      'a malformed key',
      () => {
        put(join(root, 'one.crt'), 'x.cert');
        put(join(root, 'one.crt'), 'x.key');
      },
      /not a private key/,
    ],
    [
      'too large a file',
      () => writeFileSync(join(certs, host, 'ca.crt'), Buffer.alloc(2 ** 20 + 1)),
      /more than 1048576 bytes/,
    ],
    [
      'a directory in place of a file',
      () => mkdirSync(join(certs, host, 'ca.crt')),
      /not a regular file/,
    ],
    [
      'a FIFO in place of a file',
      () => execFileSync('mkfifo', [join(certs, host, 'ca.crt')]),
      /not a regular file/,
    ],
    [
      'a link to nowhere',
      () => symlinkSync('nowhere', join(certs, host, 'ca.crt')),
      /no such file/,
    ],
  ];
  for (const [what, make, reason] of refused) {
    it(`refuses a directory of certs.d with ${what}`, async () => {
      make();
      await expect(read()).rejects.toThrow(reason);
      await expect(read()).rejects.toMatchObject({ code: 'key-invalid' });
    });
  }
});
