import { describe, expect, it } from 'vitest';
import { readVectorFile } from './testing/read-vectors.ts';
import * as x509 from './x509.ts';

const { certificate } = JSON.parse(readVectorFile('ratls/certificates/good.json'));
const DER = new Uint8Array(Buffer.from(certificate, 'base64'));

describe('the entry for other certificates', () => {
  it('exports exactly the documented names from the x509 entry', () => {
    expect(Object.keys(x509).sort()).toEqual([
      ...['DerError', 'ExtensionSet', 'bitString', 'boolean', 'explicit', 'implicit', 'integer'],
      ...['octetString', 'oid', 'openDer', 'parseEcPublicKey', 'readForeignCertificate'],
      ...['sequence', 'set', 'time', 'utf8String'],
    ]);
  });

  it('reads a certificate that is not signed with the algorithm of AMD', () => {
    const { subjectPublicKeyInfo, extensions, signature } = x509.readForeignCertificate(
      DER,
      65_536,
    );
    expect(x509.parseEcPublicKey(subjectPublicKeyInfo).point).toHaveLength(97);
    expect(signature.length).toBeLessThan(112);
    expect(() => new x509.ExtensionSet(extensions)).not.toThrow();
  });

  it('refuses a certificate that is longer than allowed, or has trailing bytes', () => {
    expect(() => x509.readForeignCertificate(DER, DER.length - 1)).toThrow(x509.DerError);
    const longer = Uint8Array.from([...DER, 0]);
    expect(() => x509.readForeignCertificate(longer, 65_536)).toThrow(x509.DerError);
  });
});
