import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AttestationError } from '../errors.ts';
import { sampleReport } from '../report/testing/sample.ts';
import { codeOf } from '../testing/code-of.ts';
import {
  encodeCertificateTable,
  evidenceFromCertificateTable,
  parseCertificateTable,
} from './certificate-table.ts';
import { encodePem } from './encodings/pem.ts';

const VCEK = Uint8Array.of(0x30, 3, 1, 2, 3);
const VLEK = Uint8Array.of(0x30, 2, 4, 5);
const ASK = Uint8Array.of(0x30, 1, 6);
const ARK = Uint8Array.of(0x30, 1, 7);
const CRL = Uint8Array.of(0x30, 1, 8);
const ALL = { vcek: VCEK, vlek: VLEK, ask: ASK, ark: ARK, crl: CRL };

const VCEK_GUID = '63da758de6644564adc5f4b93be8accd';
const OTHER_GUID = 'ecae0c0f950243b1afa20ae2e0d565b6';

interface RawEntry {
  readonly guid: string;
  readonly offset: number;
  readonly length: number;
}

/** A table of `size` bytes with the given entries, the rest of them zeros. */
function rawTable(entries: readonly RawEntry[], size: number): Uint8Array {
  const table = Buffer.alloc(size);
  entries.forEach(({ guid, offset, length }, index) => {
    table.write(guid, index * 24, 'hex');
    table.writeUInt32LE(offset, index * 24 + 16);
    table.writeUInt32LE(length, index * 24 + 20);
  });
  return table;
}

function pem(...ders: readonly Uint8Array[]): Uint8Array {
  return new TextEncoder().encode(ders.map((der) => encodePem('CERTIFICATE', der)).join(''));
}

function refusal(table: Uint8Array): string {
  try {
    parseCertificateTable(table);
  } catch (error) {
    expect(error).toMatchObject({ code: 'certificate-table-malformed' });
    return (error as AttestationError).message;
  }
  throw new Error('the table was accepted');
}

describe('parseCertificateTable', () => {
  it('reads the certificates of a table by their GUIDs', () => {
    expect(parseCertificateTable(encodeCertificateTable(ALL))).toEqual({ ...ALL, others: [] });
    expect(parseCertificateTable(encodeCertificateTable({ vlek: VLEK }))).toEqual({
      vlek: VLEK,
      others: [],
    });
  });

  it('reads the GUIDs of a certificate table in text order', () => {
    const table = encodeCertificateTable({ vcek: VCEK });
    expect(Buffer.from(table).toString('hex', 0, 24)).toBe(`${VCEK_GUID}3000000005000000`);
  });

  it('reads PEM in a certificate table as its DER', () => {
    const text = (label: 'CERTIFICATE' | 'X509 CRL', der: Uint8Array) =>
      new TextEncoder().encode(encodePem(label, der));
    const table = encodeCertificateTable({
      vcek: text('CERTIFICATE', VCEK),
      crl: text('X509 CRL', CRL),
    });
    expect(parseCertificateTable(table)).toEqual({ vcek: VCEK, crl: CRL, others: [] });
  });

  it('reads an empty certificate table, and none at all, as no certificates', () => {
    for (const size of [0, 24, 4096]) {
      expect(parseCertificateTable(new Uint8Array(size))).toEqual({ others: [] });
    }
    expect(encodeCertificateTable({})).toEqual(new Uint8Array(24));
  });

  it('lists the unknown entries of a certificate table', () => {
    const table = rawTable([{ guid: OTHER_GUID, offset: 48, length: 7 }], 55);
    expect(parseCertificateTable(table).others).toEqual([
      { guid: 'ecae0c0f-9502-43b1-afa2-0ae2e0d565b6', length: 7 },
    ]);
  });

  it('reads the data of a certificate table in any order, with padding around it', () => {
    const entries = [
      { guid: VCEK_GUID, offset: 96, length: 5 },
      { guid: OTHER_GUID, offset: 80, length: 2 },
    ];
    const table = rawTable(entries, 4096);
    table.set(VCEK, 96);
    table.set([1], 90);
    expect(parseCertificateTable(table).vcek).toEqual(VCEK);
  });

  it('refuses a certificate table without a terminating entry', () => {
    expect(refusal(new Uint8Array(23))).toContain('has no end');
    const unended = rawTable([{ guid: OTHER_GUID, offset: 24, length: 0 }], 47);
    expect(refusal(unended)).toContain('has no end');
  });

  it('refuses a certificate table of more than 16 entries', () => {
    const entries = Array.from({ length: 17 }, (_, index) => ({
      guid: index.toString(16).padStart(2, '0').repeat(16).replace(/^00/, 'aa'),
      offset: 24 * 18,
      length: 0,
    }));
    const sixteen = parseCertificateTable(rawTable(entries.slice(0, 16), 24 * 18));
    expect(sixteen.others).toHaveLength(16);
    expect(refusal(rawTable(entries, 24 * 18))).toContain('more than 16 entries');
  });

  it('refuses a certificate table with one GUID twice, even an unknown one', () => {
    for (const guid of [VCEK_GUID, OTHER_GUID]) {
      const entries = [
        { guid, offset: 72, length: 1 },
        { guid, offset: 73, length: 1 },
      ];
      expect(refusal(rawTable(entries, 80))).toContain('twice');
    }
  });

  it('refuses certificate table data outside of the table, in its header, or over other data', () => {
    const outside = [
      { offset: 48, length: 17 },
      { offset: 65, length: 0 },
      { offset: 0xffff_ffff, length: 1 },
    ];
    for (const place of outside) {
      expect(refusal(rawTable([{ guid: OTHER_GUID, ...place }], 64))).toContain(
        'ends before the data',
      );
    }
    for (const offset of [0, 24, 47]) {
      expect(refusal(rawTable([{ guid: OTHER_GUID, offset, length: 1 }], 64))).toContain(
        'over its header',
      );
    }
    const over = [
      { guid: OTHER_GUID, offset: 72, length: 4 },
      { guid: VCEK_GUID, offset: 75, length: 4 },
    ];
    expect(refusal(rawTable(over, 100))).toContain('another entry');
  });

  it('refuses a table entry of more than 64 KiB, and a table larger than 17 such entries', () => {
    const place = { guid: OTHER_GUID, offset: 48 };
    parseCertificateTable(rawTable([{ ...place, length: 0x1_0000 }], 0x2_0000));
    expect(refusal(rawTable([{ ...place, length: 0x1_0001 }], 0x2_0000))).toContain('65536');
    expect(refusal(new Uint8Array(17 * 0x1_0000 + 1))).toContain('is longer than');
  });

  it('reads certificate table entries that the host has padded', () => {
    const padded = (data: Uint8Array) => Uint8Array.from([...data, ...new Uint8Array(4096)]);
    const table = encodeCertificateTable({
      vcek: padded(VCEK),
      vlek: padded(pem(VLEK)),
      ask: padded(pem(ASK)),
      ark: padded(ARK),
      crl: padded(CRL),
    });
    expect(parseCertificateTable(table)).toEqual({ ...ALL, others: [] });
  });

  it('reads a chain of two certificates in the entry of an authority', () => {
    const ask = parseCertificateTable(encodeCertificateTable({ ask: pem(ASK, ARK) }));
    expect(ask).toEqual({ ask: ASK, chained: [ARK], others: [] });
    const both = encodeCertificateTable({ ask: pem(ASK, ARK), ark: pem(ARK, ASK) });
    expect(parseCertificateTable(both)).toMatchObject({ ask: ASK, ark: ARK, chained: [ARK, ASK] });
  });

  it('refuses a certificate table entry that is neither DER nor PEM', () => {
    for (const vcek of [Uint8Array.of(), Uint8Array.of(0x31, 0), new Uint8Array(8)]) {
      expect(refusal(encodeCertificateTable({ vcek }))).toContain('neither DER nor PEM as vcek');
    }
    const vcek = Uint8Array.of(...VCEK, 0, 1);
    expect(() => parseCertificateTable(encodeCertificateTable({ vcek }))).toThrow(
      expect.objectContaining({
        code: 'certificate-table-malformed',
        expected: 'DER or PEM, with nothing but padding behind',
      }),
    );
  });

  it('refuses more certificates in a table entry than the entry may hold', () => {
    const vcek = encodeCertificateTable({ vcek: pem(VCEK, ASK) });
    expect(refusal(vcek)).toContain('has more than 1 in its vcek');
    const ask = encodeCertificateTable({ ask: pem(ASK, ARK, ARK) });
    expect(refusal(ask)).toContain('has more than 2 in its ask');
  });

  it('throws a TypeError for a certificate table that is not bytes', () => {
    const parse: (bytes: never) => unknown = parseCertificateTable;
    expect(() => parse('' as never)).toThrow(TypeError);
  });

  it('reads any bytes as a certificate table or refuses them', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const flips = fc.array(fc.record({ at: fc.nat(200), byte: fc.nat(255) }), { maxLength: 6 });
    await fuzz(
      fc.property(flips, fc.nat(200), (changes, length) => {
        const table = encodeCertificateTable(ALL);
        for (const { at, byte } of changes) table[at] = byte;
        const code = codeOf(() => parseCertificateTable(table.subarray(0, length)));
        expect(['accepted', 'certificate-table-malformed']).toContain(code);
      }),
    );
  });
});

describe('evidenceFromCertificateTable', () => {
  const signedBy = (signingKey: 'VCEK' | 'VLEK') =>
    sampleReport({ keyInfo: { authorKeyEn: false, maskChipKey: false, signingKey } });

  it('selects from a certificate table the endorsement key that the report names', () => {
    const table = encodeCertificateTable(ALL);
    const vcek = evidenceFromCertificateTable(signedBy('VCEK'), table);
    expect(vcek).toEqual({ report: signedBy('VCEK'), vek: VCEK, authorities: [ASK, ARK] });
    expect(evidenceFromCertificateTable(signedBy('VLEK'), table).vek).toEqual(VLEK);
  });

  it('takes every authority from a certificate table', () => {
    const table = encodeCertificateTable({ ...ALL, ask: pem(ASK, ARK) });
    const { authorities } = evidenceFromCertificateTable(signedBy('VCEK'), table);
    expect(authorities).toEqual([ASK, ARK, ARK]);
  });

  it('takes the only endorsement key of a table even if the report names the other kind', () => {
    const vlek = encodeCertificateTable({ vlek: VLEK });
    const vcek = encodeCertificateTable({ vcek: VCEK });
    expect(evidenceFromCertificateTable(signedBy('VCEK'), vlek).vek).toEqual(VLEK);
    expect(evidenceFromCertificateTable(signedBy('VLEK'), vcek).vek).toEqual(VCEK);
    expect(evidenceFromCertificateTable(signedBy('VCEK'), new Uint8Array())).toEqual({
      report: signedBy('VCEK'),
      vek: undefined,
      authorities: [],
    });
  });

  it('passes a malformed report on to verification', () => {
    const report = new Uint8Array(3);
    const evidence = evidenceFromCertificateTable(report, encodeCertificateTable(ALL));
    expect(evidence).toMatchObject({ report, vek: VCEK });
  });

  it('copies the report beside a certificate table', () => {
    const report = Buffer.from(sampleReport());
    const evidence = evidenceFromCertificateTable(report, new Uint8Array());
    report.fill(0);
    expect(evidence.report).toEqual(sampleReport());
  });
});
