import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat } from '../der/bytes.ts';
import { bitString, boolean, explicit, integer, oid, sequence, time } from '../der/writer.ts';
import { AttestationError } from '../errors.ts';
import { pssAlgorithm } from './algorithms.ts';
import { assemble, buildCertificateTbs, buildVekTbs, type VekFields } from './build.ts';
import { encodeExtensions } from './extensions.ts';
import { ecSubjectPublicKeyInfo } from './keys.ts';
import { encodeName, formatName } from './name.ts';
import { cuts, flips, mutations, outcome } from './testing/mutations.ts';
import {
  amd,
  POINT,
  SIGNATURE,
  TURIN_VCEK,
  TURIN_VLEK,
  VCEK,
  VLEK,
  vek,
  vekWith,
} from './testing/samples.ts';
import { parseVek, parseVekCertificate, readVek } from './vek.ts';
import { vekExtensions } from './vek-extensions.ts';

const ALL = Object.entries({ VCEK, VLEK, TURIN_VCEK, TURIN_VLEK });
const CODES = ['vek-encoding', 'vek-algorithm', 'vek-public-key', 'vek-extensions'];
const SPKI = ecSubjectPublicKeyInfo(VCEK.publicKey);
/** The fields of TBSCertificate. */
const TBS = [
  explicit(0, integer(2)),
  integer(0),
  pssAlgorithm(false),
  encodeName(VCEK.issuer),
  sequence(time(VCEK.notBefore), time(VCEK.notAfter)),
  encodeName(VCEK.subject),
  SPKI,
  explicit(3, encodeExtensions(vekExtensions(VCEK))),
];

function refusal(code: string, message: string): unknown {
  return expect.objectContaining({ code, message: expect.stringContaining(message) });
}

function read(der: Uint8Array): () => unknown {
  return () => parseVek(der);
}

describe('certificates of endorsement keys', () => {
  it.each(ALL)('reads an endorsement key certificate back as it was built: %s', (_, fields) => {
    for (const trailerField of [false, true]) {
      const given = { ...fields, trailerField };
      const { issuer, subject, notBefore, notAfter, productName, structVersion } = fields;
      expect(parseVek(vek(given))).toEqual({
        kind: fields.hwid === null ? 'VLEK' : 'VCEK',
        issuer: formatName(issuer),
        subject: formatName(subject),
        serial: '00',
        notBefore,
        notAfter,
        productName,
        structVersion,
        tcb: fields.tcb,
        hwid: fields.hwid,
        cspId: fields.cspId,
        publicKey: { point: POINT },
        tbs: buildVekTbs(given),
        signature: SIGNATURE,
      });
    }
  });

  it('reads the subject of an endorsement key certificate before its extensions are judged', () => {
    const der = vekWith({ ...VCEK, subject: amd('SEV-OTHER') }, []);
    const certificate = parseVekCertificate(der);
    expect(certificate.subject.commonName).toBe('SEV-OTHER');
    expect(() => readVek(certificate)).toThrow(refusal('vek-extensions', 'found none'));
  });

  it('copies the bytes of an endorsement key certificate', () => {
    const der = vek(VCEK);
    const { tbs } = parseVek(der);
    der.fill(0);
    expect(tbs).toEqual(buildVekTbs(VCEK));
  });

  it('accepts an endorsement key certificate with any serial number', () => {
    expect(parseVek(vek({ ...VCEK, serial: 'fe01' })).serial).toBe('fe01');
  });
});

describe('vek-encoding', () => {
  const spki = SPKI;

  it.each<[string, Uint8Array[], string]>([
    ['no version', TBS.toSpliced(0, 1), 'expected tag 0xa0'],
    ['version 1', TBS.with(0, explicit(0, integer(0))), 'expected version 3, found version 1'],
    ['version 4', TBS.with(0, explicit(0, integer(3))), 'expected version 3, found version 4'],
    ['two versions', TBS.with(0, explicit(0, integer(2), integer(2))), 'trailing octets'],
    ['a negative serial number', TBS.with(1, Uint8Array.of(2, 1, 0xff)), 'not negative'],
    ['no issuer', TBS.with(3, sequence()), 'ends with CN'],
    ['one time', TBS.with(4, sequence(time(0))), 'found the end'],
    ['three times', TBS.with(4, sequence(time(0), time(0), time(0))), 'trailing octets'],
    ['no subject', TBS.with(5, sequence()), 'ends with CN'],
    ['no key', TBS.toSpliced(6, 1), 'expected SEQUENCE'],
    ['unique identifiers', TBS.toSpliced(7, 0, Uint8Array.of(0x81, 1, 0)), 'trailing octets'],
    ['an empty list of extensions', TBS.with(7, explicit(3, sequence())), 'found the end'],
    [
      'extensions and more',
      TBS.with(7, explicit(3, encodeExtensions(vekExtensions(VCEK)), spki)),
      'trailing octets',
    ],
    ['a value behind the extensions', [...TBS, boolean(true)], 'trailing octets'],
  ])('refuses an endorsement key certificate with %s', (_, fields, message) => {
    const der = assemble(sequence(...fields), SIGNATURE);
    expect(read(der)).toThrow(AttestationError);
    expect(read(der)).toThrow(refusal('vek-encoding', message));
  });

  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(), 'found the end'],
    ['text', new TextEncoder().encode('-----BEGIN CERTIFICATE-----'), 'expected SEQUENCE'],
    ['a value behind the certificate', concat([vek(VCEK), boolean(true)]), 'trailing octets'],
    [
      'a certificate of 4097 bytes',
      concat([vek(VCEK), new Uint8Array(4097)]).subarray(0, 4097),
      'at most 4096 bytes',
    ],
    ['a signature of 511 octets', assemble(sequence(...TBS), SIGNATURE.subarray(1)), '512 octets'],
    [
      'a signature of 513 octets',
      assemble(sequence(...TBS), concat([SIGNATURE, Uint8Array.of(0)])),
      '512 octets',
    ],
    [
      'a fourth field',
      sequence(sequence(...TBS), pssAlgorithm(false), bitString(SIGNATURE), boolean(true)),
      'trailing octets',
    ],
  ])('refuses as an endorsement key certificate: %s', (_, der, message) => {
    expect(read(der)).toThrow(refusal('vek-encoding', message));
  });

  it('begins its message with the name of the certificate that it refuses', () => {
    expect(read(new Uint8Array())).toThrow(/^Endorsement key certificate: expected/);
  });

  it('refuses a mebibyte of nested values as an endorsement key certificate', () => {
    const nested = new Uint8Array(1024 * 1024).fill(0x30);
    expect(read(nested)).toThrow(refusal('vek-encoding', 'found 1048576 bytes'));
  });

  it('refuses an endorsement key certificate nested as deep as its length allows', () => {
    let deep = sequence();
    while (deep.length < 2800) deep = sequence(deep);
    const der = assemble(sequence(...TBS.with(5, deep)), SIGNATURE);
    expect(read(der)).toThrow(refusal('vek-encoding', 'expected SET, found SEQUENCE'));
  });
});

describe('vek-algorithm', () => {
  const pkcs1 = sequence(oid('1.2.840.113549.1.1.12'));

  it.each<[string, Uint8Array]>([
    [
      'another algorithm twice',
      sequence(sequence(...TBS.with(2, pkcs1)), pkcs1, bitString(SIGNATURE)),
    ],
    ['another algorithm inside', assemble(sequence(...TBS.with(2, pkcs1)), SIGNATURE)],
    ['another algorithm outside', sequence(sequence(...TBS), pkcs1, bitString(SIGNATURE))],
    ['the other encoding outside', assemble(buildVekTbs(VCEK), SIGNATURE, true)],
    [
      'the other encoding inside',
      assemble(buildVekTbs({ ...VCEK, trailerField: true }), SIGNATURE),
    ],
  ])('refuses an endorsement key certificate with %s', (_, der) => {
    expect(read(der)).toThrow(
      refusal('vek-algorithm', 'Signature algorithm of the endorsement key'),
    );
  });

  it('checks the algorithm of an endorsement key certificate before its key and extensions', () => {
    const tbs = buildCertificateTbs(VCEK, sequence(), []);
    expect(read(assemble(tbs, SIGNATURE, true))).toThrow(refusal('vek-algorithm', ''));
  });
});

describe('vek-public-key', () => {
  it('refuses an endorsement key that is not on P-384, before it looks at the extensions', () => {
    const beside = POINT.map((byte, index) => (index === 50 ? byte ^ 1 : byte));
    expect(read(vekWith({ ...VCEK, publicKey: { point: beside } }, []))).toThrow(
      refusal('vek-public-key', 'Endorsement key: expected a point of P-384'),
    );
  });
});

describe('vek-extensions', () => {
  it.each(ALL)(
    'refuses an endorsement key certificate with any extension dropped or doubled: %s',
    (_, fields) => {
      const extensions = vekExtensions(fields);
      for (const [index, extension] of extensions.entries()) {
        const dropped = vekWith(fields, extensions.toSpliced(index, 1));
        expect(read(dropped)).toThrow(
          refusal('vek-extensions', 'Extensions of the endorsement key'),
        );
        const doubled = vekWith(fields, extensions.toSpliced(index, 0, extension));
        expect(read(doubled)).toThrow(refusal('vek-extensions', `${extension.id} twice`));
      }
    },
  );

  it('refuses an endorsement key certificate without extensions', () => {
    expect(read(vekWith(VCEK, []))).toThrow(refusal('vek-extensions', 'found none'));
  });
});

describe('a changed certificate', () => {
  it.each<[string, VekFields]>(ALL)(
    'refuses an endorsement key certificate with any byte changed, or reads something else: %s',
    (_, fields) => {
      const der = vek(fields);
      const original = outcome(() => parseVek(der));
      for (const changed of flips(der)) {
        const result = outcome(() => parseVek(changed));
        expect(result).not.toBe(original);
        if (!result.startsWith('{')) expect(CODES).toContain(result);
      }
    },
  );

  it('refuses an endorsement key certificate that is cut at any byte', () => {
    for (const cut of cuts(vek(TURIN_VCEK))) expect(read(cut)).toThrow(refusal('vek-encoding', ''));
  });

  it('refuses any bytes as an endorsement key certificate, or reads something else from them', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const der = vek(VLEK);
    const original = outcome(() => parseVek(der));
    await fuzz(
      fc.property(fc.oneof(mutations(der), fc.uint8Array({ maxLength: 5000 })), (bytes) => {
        const result = outcome(() => parseVek(bytes));
        if (result.startsWith('{')) {
          expect(result === original).toBe(Buffer.compare(bytes, der) === 0);
        } else {
          expect(CODES).toContain(result);
        }
      }),
    );
  });
});
