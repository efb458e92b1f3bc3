import { describe, expect, it } from 'vitest';
import { readVectorFile } from './testing/read-vectors.ts';
import * as x509 from './x509.ts';

const { certificate } = JSON.parse(readVectorFile('ratls/certificates/good.json'));
const DER = new Uint8Array(Buffer.from(certificate, 'base64'));

describe('the entry for other certificates', () => {
  it('exports what is documented, and nothing else', () => {
    expect(Object.keys(x509).sort()).toEqual([
      'DerError',
      'ExtensionSet',
      'parseEcPublicKey',
      'readForeignCertificate',
    ]);
  });

  it('reads a certificate that is not signed as those of AMD are', () => {
    const { subjectPublicKeyInfo, extensions, signature } = x509.readForeignCertificate(
      DER,
      65_536,
    );
    expect(x509.parseEcPublicKey(subjectPublicKeyInfo).point).toHaveLength(97);
    expect(signature.length).toBeLessThan(112);
    expect(() => new x509.ExtensionSet(extensions)).not.toThrow();
  });

  it('refuses one that is longer than it may be, or has something behind it', () => {
    expect(() => x509.readForeignCertificate(DER, DER.length - 1)).toThrow(x509.DerError);
    const longer = Uint8Array.from([...DER, 0]);
    expect(() => x509.readForeignCertificate(longer, 65_536)).toThrow(x509.DerError);
  });
});
