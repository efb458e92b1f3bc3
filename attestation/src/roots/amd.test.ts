import { constants, createHash, createPublicKey, verify, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type CaCertificate, parseCa } from '../certificates/ca.ts';
import { parseCrl } from '../certificates/crl.ts';
import { type RsaPublicKey, rsaSubjectPublicKeyInfo } from '../certificates/keys.ts';
import { decodePem } from '../envelopes/encodings/pem.ts';
import type { Product } from '../report/product.ts';
import { AMD_ANCHORS } from './amd.ts';
import type { CaAnchor, ProductAnchors } from './anchors.ts';

const VECTORS = new URL('../../../test/vectors/amd/', import.meta.url);

/** SHA-256 of each SubjectPublicKeyInfo, as published. */
const PINS: [Product, keyof ProductAnchors, string][] = [
  ['Milan', 'ark', '9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9'],
  ['Milan', 'ask', '42491669ccb851d627ea9846cd24eccbeb7de7c2a62740120fff88001d38ebb6'],
  ['Milan', 'asvk', '66450a123ea5876206df67f2514a4fea224c0f63b18313423078b0edc4535e33'],
  ['Genoa', 'ark', '429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831'],
  ['Genoa', 'ask', '0324d55bcd48ba877a8fd87c0e1b4934dec8448e3807a24384a34dc6a6c9ebb8'],
  ['Genoa', 'asvk', '7d1633252ebbadaa75f96e9b4e6f7d43a90ceb3f843937482630f8da2459264e'],
  ['Turin', 'ark', '4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08'],
  ['Turin', 'ask', '0000ead352025f208bf55297c4192c34cd1b878002107366d8f2065a9ae7d3a9'],
  ['Turin', 'asvk', 'bfc441408b2f806c5dbf180bd8920e6e60dd404d82141780d85dbf962954d386'],
];
const REVOKED_PIN = '0dee0c846c77000ff39d65b9d51d8b31189426d6f2f50858fb23b39718dd9c30';
const REVOKED_SERIAL = '020001';

function derOf(product: Product, role: keyof ProductAnchors): Uint8Array {
  const file = new URL(`${product.toLowerCase()}_${role}.pem`, VECTORS);
  const [der = new Uint8Array()] = decodePem(readFileSync(file), 'CERTIFICATE');
  return der;
}

function pinOf(key: RsaPublicKey): string {
  return createHash('sha256').update(rsaSubjectPublicKeyInfo(key)).digest('hex');
}

function signedBy(signed: { tbs: Uint8Array; signature: Uint8Array }, issuer: CaAnchor): boolean {
  const key = createPublicKey({
    key: Buffer.from(rsaSubjectPublicKeyInfo(issuer)),
    format: 'der',
    type: 'spki',
  });
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return verify('sha384', signed.tbs, { key, padding, saltLength: 48 }, signed.signature);
}

function all(): CaAnchor[] {
  return Object.values(AMD_ANCHORS.products).flatMap(({ ark, ask, asvk }) => [ark, ask, asvk]);
}

describe("AMD's authorities", () => {
  it.each(PINS)("pins AMD's authority as its certificate has it: %s %s", (product, role, pin) => {
    const anchor = AMD_ANCHORS.products[product][role];
    const certificate: CaCertificate = parseCa(derOf(product, role));
    expect(anchor).toEqual({
      commonName: certificate.subject.commonName,
      serial: certificate.serial,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      modulus: certificate.publicKey.modulus,
    });
    expect(pinOf(anchor)).toBe(pin);
  });

  it.each(PINS)(
    "verifies AMD's authority by the root of its product, and by no other root: %s %s",
    (product, role) => {
      const { ark } = AMD_ANCHORS.products[product];
      const certificate = parseCa(derOf(product, role));
      expect(signedBy(certificate, ark)).toBe(true);
      expect(certificate.issuer.commonName).toBe(ark.commonName);
      const others = Object.values(AMD_ANCHORS.products).filter((anchors) => anchors.ark !== ark);
      for (const other of others) expect(signedBy(certificate, other.ark)).toBe(false);
    },
  );

  it.each(PINS)(
    "finds AMD's organization in the names of the authority: %s %s",
    (product, role) => {
      const { subject, issuer } = parseCa(derOf(product, role));
      expect(subject.organization).toBe(AMD_ANCHORS.organization);
      expect(issuer.organization).toBe(AMD_ANCHORS.organization);
    },
  );

  it.each(PINS)("reads AMD's authority as node:crypto reads it: %s %s", (product, role) => {
    const der = derOf(product, role);
    const certificate = parseCa(der);
    const theirs = new X509Certificate(der);
    expect(theirs.serialNumber).toBe(certificate.serial);
    expect(theirs.subject.replaceAll('\n', ', ')).toBe(certificate.subject.text);
    expect(theirs.issuer.replaceAll('\n', ', ')).toBe(certificate.issuer.text);
    expect(Date.parse(theirs.validFrom)).toBe(certificate.notBefore);
    expect(Date.parse(theirs.validTo)).toBe(certificate.notAfter);
    const { n, e } = theirs.publicKey.export({ format: 'jwk' });
    expect(Buffer.from(certificate.publicKey.modulus).toString('base64url')).toBe(n);
    expect(e).toBe('AQAB');
  });

  it.each(PINS)("reads the CRL URL of AMD's authority: %s %s", (product, role) => {
    const kind = role === 'asvk' ? 'vlek' : 'vcek';
    expect(parseCa(derOf(product, role)).crlDistributionPoint).toBe(
      `https://kdsintf.amd.com/${kind}/v1/${product}/crl`,
    );
  });

  it.each(PINS)(
    "reads the identifier of the key that signed AMD's authority: %s %s",
    (product, role) => {
      const { authorityKeyId } = parseCa(derOf(product, role));
      const { subjectKeyId } = parseCa(derOf(product, 'ark'));
      expect(authorityKeyId).toBe(role === 'ark' ? null : subjectKeyId);
    },
  );

  it('pins nine authorities with different keys and serial numbers', () => {
    expect(all()).toHaveLength(9);
    expect(new Set(all().map(pinOf)).size).toBe(9);
    expect(new Set(all().map(({ serial }) => serial)).size).toBe(9);
  });
});

describe("Genoa's revocation list", () => {
  const crl = parseCrl(readFileSync(new URL('genoa_crl.der', VECTORS)));

  it("reads AMD's revocation list for Genoa", () => {
    expect(crl).toMatchObject({
      issuer: { organization: AMD_ANCHORS.organization, commonName: 'ARK-Genoa' },
      number: 4n,
      thisUpdate: Date.parse('2024-10-23T04:36:24Z'),
      nextUpdate: Date.parse('2025-11-03T01:00:00Z'),
      revoked: new Map([[REVOKED_SERIAL, Date.parse('2022-10-31T12:00:00Z')]]),
      authorityKeyId: parseCa(derOf('Genoa', 'ark')).subjectKeyId,
    });
  });

  it('verifies the revocation list for Genoa by the root of Genoa, and by no other key', () => {
    const { Milan, Genoa, Turin } = AMD_ANCHORS.products;
    expect(signedBy(crl, Genoa.ark)).toBe(true);
    for (const other of [Genoa.ask, Genoa.asvk, Milan.ark, Turin.ark]) {
      expect(signedBy(crl, other)).toBe(false);
    }
  });

  it('revokes no pinned intermediate, only one that is not pinned', () => {
    expect(all().filter(({ serial }) => crl.revoked.has(serial))).toEqual([]);
    expect(all().map(pinOf)).not.toContain(REVOKED_PIN);
  });
});
