import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat } from '../der/bytes.ts';
import { Tag } from '../der/tags.ts';
import { bitString, explicit, integer, octetString, oid, sequence, time } from '../der/writer.ts';
import { pssAlgorithm } from './algorithms.ts';
import { encodeAuthorityKeyId } from './authority-extensions.ts';
import { assemble, buildCrlTbs } from './build.ts';
import { parseCrl } from './crl.ts';
import { type Extension, ExtensionId, encodeExtensions } from './extensions.ts';
import { hexBytes } from './hex-bytes.ts';
import { encodeName, formatName } from './name.ts';
import { cuts, flips, mutations, outcome } from './testing/mutations.ts';
import { CRL, crl, KEY_ID, SIGNATURE } from './testing/samples.ts';

const AT = time(CRL.thisUpdate);
const ENTRY = [integer(0x020001), AT];
const AUTHORITY: Extension = {
  id: ExtensionId.AUTHORITY_KEY_IDENTIFIER,
  critical: false,
  value: encodeAuthorityKeyId(hexBytes(KEY_ID)),
};
const NUMBER: Extension = { id: ExtensionId.CRL_NUMBER, critical: false, value: integer(4) };
/** The fields of TBSCertList. */
const TBS = [
  integer(1),
  pssAlgorithm(false),
  encodeName(CRL.issuer),
  AT,
  AT,
  sequence(sequence(...ENTRY)),
  explicit(0, encodeExtensions([AUTHORITY, NUMBER])),
];

function list(fields: readonly Uint8Array[]): Uint8Array {
  return assemble(sequence(...fields), SIGNATURE);
}

function withExtensions(...extensions: Extension[]): Uint8Array {
  return list(TBS.with(6, explicit(0, encodeExtensions(extensions))));
}

/** A revocation list whose only entry has the given extensions. */
function withEntry(...extensions: Extension[]): Uint8Array {
  return list(TBS.with(5, sequence(sequence(...ENTRY, encodeExtensions(extensions)))));
}

function reason(code: number, critical = false): Extension {
  return { id: ExtensionId.REASON_CODE, critical, value: integer(code, Tag.ENUMERATED) };
}

function refusal(): unknown {
  return expect.objectContaining({
    code: 'crl-encoding',
    message: expect.stringMatching(/^Revocation list: expected/),
  });
}

describe('revocation lists', () => {
  it('reads a revocation list back as it was built', () => {
    for (const trailerField of [false, true]) {
      const { number, thisUpdate, nextUpdate, revoked, authorityKeyId } = CRL;
      expect(parseCrl(crl({ ...CRL, trailerField }))).toEqual({
        issuer: formatName(CRL.issuer),
        number,
        thisUpdate,
        nextUpdate,
        revoked,
        authorityKeyId,
        tbs: buildCrlTbs({ ...CRL, trailerField }),
        signature: SIGNATURE,
      });
    }
  });

  it('accepts a revocation list without entries', () => {
    expect(parseCrl(crl({ ...CRL, revoked: new Map() })).revoked).toEqual(new Map());
  });

  it('accepts a CRL number of up to 20 octets, and no longer one', () => {
    const number = 2n ** 160n - 1n;
    expect(parseCrl(crl({ ...CRL, number })).number).toBe(number);
    expect(parseCrl(crl({ ...CRL, number: 0n })).number).toBe(0n);
    expect(() => parseCrl(crl({ ...CRL, number: number + 1n }))).toThrow(refusal());
  });

  it.each([0, 1, 6, 10])('accepts a revocation entry with the reason code %i', (code) => {
    expect([...parseCrl(withEntry(reason(code))).revoked.keys()]).toEqual(['020001']);
  });

  it('accepts a revocation list of up to 1024 entries', () => {
    const entries = (count: number) =>
      new Map(
        Array.from({ length: count }, (_, index) => [
          (0x010000 + index).toString(16).padStart(6, '0'),
          CRL.thisUpdate,
        ]),
      );
    expect(parseCrl(crl({ ...CRL, revoked: entries(1024) })).revoked.size).toBe(1024);
    expect(() => parseCrl(crl({ ...CRL, revoked: entries(1025) }))).toThrow(
      'expected at most 1024 entries, found more',
    );
  });
});

describe('crl-encoding', () => {
  it.each<[string, Uint8Array, string]>([
    ['no version', list(TBS.toSpliced(0, 1)), 'expected INTEGER'],
    ['version 1', list(TBS.with(0, integer(0))), 'expected version 2, found version 1'],
    ['another algorithm', list(TBS.with(1, sequence(oid('1.2.3')))), 'expected RSASSA-PSS'],
    ['the other encoding outside', assemble(sequence(...TBS), SIGNATURE, true), 'that is signed'],
    ['no issuer', list(TBS.with(2, sequence())), 'ends with CN'],
    ['no nextUpdate', list(TBS.toSpliced(4, 1)), 'expected UTC TIME, found SEQUENCE'],
    ['an empty list of entries', list(TBS.with(5, sequence())), 'found the end'],
    ['an entry without time', list(TBS.with(5, sequence(sequence(integer(1))))), 'found the end'],
    [
      'a serial number twice',
      list(TBS.with(5, sequence(sequence(...ENTRY), sequence(...ENTRY)))),
      'expected each serial number once, found 020001 twice',
    ],
    [
      'a value behind an entry',
      list(TBS.with(5, sequence(sequence(...ENTRY, encodeExtensions([reason(1)]), AT)))),
      'trailing octets',
    ],
    ['no extensions', list(TBS.slice(0, 6)), 'expected another octet'],
    ['an empty list of extensions', withExtensions(), 'found the end'],
    ['no authority key identifier', withExtensions(NUMBER), '2.5.29.35, found none'],
    ['no number', withExtensions(AUTHORITY), '2.5.29.20, found none'],
    ['two numbers', withExtensions(AUTHORITY, NUMBER, NUMBER), '2.5.29.20 twice'],
    ['a critical number', withExtensions(AUTHORITY, { ...NUMBER, critical: true }), 'contrary'],
    [
      'a number and more',
      withExtensions(AUTHORITY, { ...NUMBER, value: concat([integer(4), AT]) }),
      'trailing octets',
    ],
    [
      'a delta',
      withExtensions(AUTHORITY, NUMBER, { id: '2.5.29.27', critical: true, value: integer(1) }),
      'found 2.5.29.27',
    ],
    [
      'a part',
      withExtensions(AUTHORITY, NUMBER, { ...NUMBER, id: '2.5.29.28' }),
      'found 2.5.29.28',
    ],
    [
      'extensions twice',
      list(TBS.with(6, explicit(0, encodeExtensions([AUTHORITY, NUMBER]), octetString(SIGNATURE)))),
      'trailing octets',
    ],
    ['a value behind the extensions', list([...TBS, AT]), 'trailing octets'],
    ['an entry that is taken back', withEntry(reason(8)), 'removeFromCRL'],
    ['an unknown reason', withEntry(reason(11)), 'up to 10, found 11'],
    ['a critical reason', withEntry(reason(1, true)), 'the contrary'],
    [
      'a reason and more',
      withEntry({ ...reason(1), value: concat([reason(1).value, AT]) }),
      'trailing',
    ],
    [
      'an entry of another issuer',
      withEntry(reason(1), { ...NUMBER, id: '2.5.29.29' }),
      '2.5.29.29',
    ],
    ['a reason that is an INTEGER', withEntry({ ...reason(1), value: integer(1) }), 'ENUMERATED'],
    ['a short signature', assemble(sequence(...TBS), SIGNATURE.subarray(1)), '512 octets'],
    ['more than 64 KiB', new Uint8Array(65_537), 'at most 65536 bytes'],
    ['a mebibyte of nested values', new Uint8Array(1_048_576).fill(0x30), 'found 1048576 bytes'],
    ['a value behind it', concat([crl(CRL), AT]), 'trailing octets'],
    [
      'a value behind the signature',
      sequence(sequence(...TBS), pssAlgorithm(false), bitString(SIGNATURE), AT),
      'trailing octets',
    ],
  ])('refuses a revocation list: %s', (_, der, message) => {
    expect(() => parseCrl(der)).toThrow(message);
    expect(() => parseCrl(der)).toThrow(refusal());
  });

  it('refuses a revocation list with any byte changed, or reads something else from it', () => {
    const der = crl(CRL);
    const original = outcome(() => parseCrl(der));
    for (const changed of flips(der)) {
      const result = outcome(() => parseCrl(changed));
      expect(result).not.toBe(original);
      if (!result.startsWith('{')) expect(result).toBe('crl-encoding');
    }
  });

  it('refuses a revocation list that is cut at any byte', () => {
    for (const cut of cuts(crl(CRL))) expect(outcome(() => parseCrl(cut))).toBe('crl-encoding');
  });

  it('refuses any bytes as a revocation list, or reads something else from them', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const der = crl(CRL);
    const original = outcome(() => parseCrl(der));
    await fuzz(
      fc.property(fc.oneof(mutations(der), fc.uint8Array({ maxLength: 5000 })), (bytes) => {
        const result = outcome(() => parseCrl(bytes));
        if (result.startsWith('{')) {
          expect(result === original).toBe(Buffer.compare(bytes, der) === 0);
        } else {
          expect(result).toBe('crl-encoding');
        }
      }),
    );
  });
});
