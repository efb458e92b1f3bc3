import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat } from '../der/bytes.ts';
import { explicit, ia5String, implicit, octetString, sequence } from '../der/writer.ts';
import { pssAlgorithm } from './algorithms.ts';
import { assemble, buildCaTbs, buildCertificateTbs, type CaFields } from './build.ts';
import { parseCa } from './ca.ts';
import { type Extension, ExtensionId } from './extensions.ts';
import { hexBytes } from './hex-bytes.ts';
import { formatName } from './name.ts';
import { cuts, flips, mutations, outcome } from './testing/mutations.ts';
import {
  ARK,
  ASK,
  amd,
  ca,
  caWith,
  KEY_ID,
  MODULUS,
  SIGNATURE,
  VCEK,
  vek,
} from './testing/samples.ts';
import { readCertificate } from './x509-structures.ts';

const URL = new TextEncoder().encode('https://crl.example/list');
const BOTH: [string, CaFields][] = Object.entries({ ARK, ASK });

function extensionsOf(fields: CaFields): readonly Extension[] {
  return readCertificate(ca(fields), 4096).extensions;
}

function changed(fields: CaFields, id: string, value: Uint8Array): Uint8Array {
  return caWith(
    fields,
    extensionsOf(fields).map((extension) =>
      extension.id === id ? { ...extension, value } : extension,
    ),
  );
}

function refusal(message: string): unknown {
  return expect.objectContaining({
    code: 'ca-encoding',
    message: expect.stringMatching(/^Certificate of an authority: expected/),
    found: expect.any(String),
    expected: expect.stringContaining(message),
  });
}

describe('certificates of authorities', () => {
  it.each(BOTH)('reads a CA certificate back as it was built: %s', (_, fields) => {
    for (const trailerField of [false, true]) {
      const given = { ...fields, trailerField };
      const { serial, notBefore, notAfter, subjectKeyId, authorityKeyId } = fields;
      expect(parseCa(ca(given))).toEqual({
        issuer: formatName(fields.issuer),
        subject: formatName(fields.subject),
        serial,
        notBefore,
        notAfter,
        publicKey: { modulus: MODULUS },
        subjectKeyId,
        authorityKeyId,
        crlDistributionPoint: fields.crlDistributionPoint,
        tbs: buildCaTbs(given),
        signature: SIGNATURE,
      });
    }
  });

  it('accepts a CA certificate with other names, and with another CRL distribution point or none', () => {
    const other = { ...ASK, issuer: amd('a'), subject: amd('b'), crlDistributionPoint: 'urn:x' };
    expect(parseCa(ca(other)).crlDistributionPoint).toBe('urn:x');
    expect(parseCa(ca({ ...ASK, crlDistributionPoint: null })).crlDistributionPoint).toBeNull();
  });

  it('accepts the extensions of a CA certificate in any order', () => {
    const reversed = parseCa(caWith(ASK, extensionsOf(ASK).toReversed()));
    const { tbs: _, ...rest } = parseCa(ca(ASK));
    expect(reversed).toMatchObject(rest);
  });
});

describe('ca-encoding', () => {
  it.each<[string, Uint8Array, string]>([
    ['an endorsement key', vek(VCEK), 'above zero'],
    ['a serial number of zero', ca({ ...ASK, serial: '00' }), 'above zero'],
    [
      'the other encoding outside',
      assemble(buildCaTbs(ASK), SIGNATURE),
      'the algorithm that is signed',
    ],
    [
      'another algorithm',
      sequence(buildCaTbs(ASK), sequence(), octetString(SIGNATURE)),
      'BIT STRING',
    ],
    ['a small key', ca({ ...ASK, publicKey: { modulus: MODULUS.subarray(256) } }), '4096 bits'],
    ['no extensions', caWith(ASK, []), 'found none'],
    ['4097 bytes', new Uint8Array(4097), 'at most 4096 bytes'],
    ['a value behind it', concat([ca(ASK), pssAlgorithm(true)]), 'trailing octets'],
  ])('refuses a CA certificate: %s', (_, der, message) => {
    expect(() => parseCa(der)).toThrow(message);
    expect(() => parseCa(der)).toThrow(refusal(''));
  });

  it('refuses a CA certificate whose two algorithms are both another one', () => {
    const tbs = buildCertificateTbs(ASK, sequence(), []);
    const other = tbs.slice();
    // Changes the last octet of the hash's object identifier: SHA-384 becomes SHA-512.
    const at = Buffer.from(tbs).indexOf(Buffer.from(hexBytes('608648016503040202')));
    other[at + 8] = 3;
    expect(() => parseCa(assemble(other, SIGNATURE, true))).toThrow('expected RSASSA-PSS');
  });

  it.each(BOTH)('refuses a CA certificate without any one required extension: %s', (_, fields) => {
    const extensions = extensionsOf(fields);
    for (const [index, { id }] of extensions.entries()) {
      if (id === ExtensionId.CRL_DISTRIBUTION_POINTS) continue;
      const dropped = caWith(fields, extensions.toSpliced(index, 1));
      expect(() => parseCa(dropped)).toThrow(refusal('extension 2.5.29.'));
    }
  });

  it.each(BOTH)(
    'refuses a CA certificate with any extension twice, or of another criticality: %s',
    (_, fields) => {
      const extensions = extensionsOf(fields);
      for (const [index, extension] of extensions.entries()) {
        const doubled = caWith(fields, [...extensions, extension]);
        expect(() => parseCa(doubled)).toThrow(`${extension.id} twice`);
        const critical = { ...extension, critical: !extension.critical };
        expect(() => parseCa(caWith(fields, extensions.with(index, critical)))).toThrow(
          'the contrary',
        );
      }
    },
  );

  it('refuses a CA certificate with an unknown extension', () => {
    const unknown: Extension = { id: '2.5.29.37', critical: false, value: sequence() };
    expect(() => parseCa(caWith(ASK, [...extensionsOf(ASK), unknown]))).toThrow('found 2.5.29.37');
  });

  it.each<[string, CaFields, string, string]>([
    ['a root that has a path length', ARK, ExtensionId.BASIC_CONSTRAINTS, '30060101ff020100'],
    ['an intermediate without path length', ASK, ExtensionId.BASIC_CONSTRAINTS, '30030101ff'],
    ['an intermediate of path length 1', ASK, ExtensionId.BASIC_CONSTRAINTS, '30060101ff020101'],
    ['a certificate that is no authority', ASK, ExtensionId.BASIC_CONSTRAINTS, '3000'],
    ['an intermediate that signs lists', ASK, ExtensionId.KEY_USAGE, '03020106'],
    ['a root that signs no lists', ARK, ExtensionId.KEY_USAGE, '03020104'],
    ['a key that signs no certificates', ASK, ExtensionId.KEY_USAGE, '03020780'],
    ['a short key identifier', ASK, ExtensionId.SUBJECT_KEY_IDENTIFIER, '040100'],
    ['a key identifier and more', ASK, ExtensionId.SUBJECT_KEY_IDENTIFIER, `0414${KEY_ID}00`],
    ['an issuer without key identifier', ASK, ExtensionId.AUTHORITY_KEY_IDENTIFIER, '3000'],
    ['a short issuer key identifier', ASK, ExtensionId.AUTHORITY_KEY_IDENTIFIER, '3003800100'],
    [
      'an issuer with serial number',
      ASK,
      ExtensionId.AUTHORITY_KEY_IDENTIFIER,
      `30198014${KEY_ID}820101`,
    ],
    ['an issuer and more', ASK, ExtensionId.AUTHORITY_KEY_IDENTIFIER, `30168014${KEY_ID}00`],
  ])('refuses a CA certificate by its extensions: %s', (_, fields, id, hex) => {
    expect(() => parseCa(changed(fields, id, hexBytes(hex)))).toThrow(refusal(''));
  });

  it.each<[string, Uint8Array]>([
    ['two points', sequence(sequence(explicit(0, explicit(0, implicit(6, URL)))), sequence())],
    ['two names', sequence(sequence(explicit(0, explicit(0, implicit(6, URL), implicit(6, URL)))))],
    [
      'a point with reasons',
      sequence(sequence(explicit(0, explicit(0, implicit(6, URL))), implicit(1, URL))),
    ],
    ['a name that is no URL', sequence(sequence(explicit(0, explicit(0, implicit(2, URL)))))],
    ['a relative name', sequence(sequence(explicit(0, explicit(1, implicit(6, URL)))))],
    ['no tags', sequence(sequence(ia5String('https:')))],
    ['no name', sequence(sequence(explicit(0, explicit(0))))],
    [
      'a URL of 257 octets',
      sequence(sequence(explicit(0, explicit(0, implicit(6, new Uint8Array(257).fill(0x61)))))),
    ],
    [
      'a URL with a newline',
      sequence(sequence(explicit(0, explicit(0, implicit(6, Uint8Array.of(10)))))),
    ],
    ['none', sequence()],
  ])('refuses a CA certificate with %s for revocation lists', (_, value) => {
    const der = changed(ASK, ExtensionId.CRL_DISTRIBUTION_POINTS, value);
    expect(() => parseCa(der)).toThrow(refusal(''));
  });

  it.each(BOTH)(
    'refuses a CA certificate with any byte changed, or reads something else from it: %s',
    (_, fields) => {
      const der = ca(fields);
      const original = outcome(() => parseCa(der));
      for (const changedDer of flips(der)) {
        const result = outcome(() => parseCa(changedDer));
        expect(result).not.toBe(original);
        if (!result.startsWith('{')) expect(result).toBe('ca-encoding');
      }
    },
  );

  it('refuses a CA certificate that is cut at any byte', () => {
    for (const cut of cuts(ca(ASK))) expect(outcome(() => parseCa(cut))).toBe('ca-encoding');
  });

  it('refuses any bytes as a CA certificate, or reads something else from them', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const der = ca(ASK);
    const original = outcome(() => parseCa(der));
    await fuzz(
      fc.property(fc.oneof(mutations(der), fc.uint8Array({ maxLength: 5000 })), (bytes) => {
        const result = outcome(() => parseCa(bytes));
        if (result.startsWith('{')) {
          expect(result === original).toBe(Buffer.compare(bytes, der) === 0);
        } else {
          expect(result).toBe('ca-encoding');
        }
      }),
    );
  });
});
