import { describe, expect, it } from 'vitest';
import { concat } from '../der/bytes.ts';
import { DerError } from '../der/error.ts';
import { boolean, ia5String, integer, octetString, utf8String } from '../der/writer.ts';
import type { Extension } from './extensions.ts';
import { hexBytes } from './hex-bytes.ts';
import { TURIN_VCEK, TURIN_VLEK, VCEK, VLEK } from './testing/samples.ts';
import { readVekExtensions, vekExtensions } from './vek-extensions.ts';

const ARC = '1.3.6.1.4.1.3704.1';
const SAMPLES = { VCEK, VLEK, TURIN_VCEK, TURIN_VLEK };
const ALL = Object.entries(SAMPLES);

/** The extensions of a sample, one of them with another value. */
function changed(sample: keyof typeof SAMPLES, id: string, value: Uint8Array): Extension[] {
  return vekExtensions(SAMPLES[sample]).map((extension) =>
    extension.id === `${ARC}${id}` ? { ...extension, value } : extension,
  );
}

describe('extensions of an endorsement key', () => {
  it.each(ALL)(
    'reads the extensions of an endorsement key back as they were written: %s',
    (_, fields) => {
      const { structVersion, productName, tcb, hwid, cspId } = fields;
      expect(readVekExtensions(vekExtensions(fields))).toEqual({
        kind: hwid === null ? 'VLEK' : 'VCEK',
        structVersion,
        productName,
        tcb,
        hwid,
        cspId,
      });
    },
  );

  it.each(ALL)('accepts the extensions of an endorsement key in any order: %s', (_, fields) => {
    const extensions = vekExtensions(fields);
    expect(readVekExtensions(extensions.toReversed())).toEqual(readVekExtensions(extensions));
  });

  it.each(ALL)(
    'refuses endorsement key extensions with one missing, doubled, critical or unknown: %s',
    (_, fields) => {
      const extensions = vekExtensions(fields);
      const unknown: Extension = { id: `${ARC}.6`, critical: false, value: integer(0) };
      expect(() => readVekExtensions([...extensions, unknown])).toThrow(DerError);
      for (const [index, extension] of extensions.entries()) {
        expect(() => readVekExtensions(extensions.toSpliced(index, 1))).toThrow(DerError);
        expect(() => readVekExtensions([...extensions, extension])).toThrow(DerError);
        const critical = extensions.with(index, { ...extension, critical: true });
        expect(() => readVekExtensions(critical)).toThrow(DerError);
      }
    },
  );

  it.each(ALL)(
    'refuses an endorsement key extension with octets behind its value: %s',
    (_, fields) => {
      const extensions = vekExtensions(fields);
      for (const [index, extension] of extensions.entries()) {
        const longer = { ...extension, value: concat([extension.value, Uint8Array.of(0)]) };
        expect(() => readVekExtensions(extensions.with(index, longer))).toThrow(DerError);
        const empty = { ...extension, value: new Uint8Array() };
        expect(() => readVekExtensions(extensions.with(index, empty))).toThrow(DerError);
      }
    },
  );

  it('accepts TCB levels of one octet, and reserved levels of zero only', () => {
    for (const id of ['.3.1', '.3.2', '.3.3', '.3.8']) {
      expect(readVekExtensions(changed('VCEK', id, integer(255)))).toBeDefined();
      expect(() => readVekExtensions(changed('VCEK', id, integer(256)))).toThrow('up to 255');
      expect(() => readVekExtensions(changed('VCEK', id, Uint8Array.of(2, 1, 0x80)))).toThrow(
        'not negative',
      );
    }
    expect(() => readVekExtensions(changed('TURIN_VCEK', '.3.9', integer(256)))).toThrow(
      'up to 255',
    );
    for (const id of ['.3.4', '.3.5', '.3.6', '.3.7']) {
      expect(() => readVekExtensions(changed('VCEK', id, integer(1)))).toThrow('up to 0, found 1');
    }
  });

  it.each(['TURIN_VCEK', 'TURIN_VLEK'] as const)(
    'refuses an spl4 extension on Turin, even with the value 0: %s',
    (name) => {
      const extensions = vekExtensions(SAMPLES[name]);
      expect(extensions.map(({ id }) => id)).not.toContain(`${ARC}.3.4`);
      const spl4: Extension = { id: `${ARC}.3.4`, critical: false, value: integer(0) };
      expect(() => readVekExtensions([...extensions, spl4])).toThrow(
        `expected no other extension, found ${ARC}.3.4`,
      );
    },
  );

  it('refuses endorsement key extensions that mix two layouts', () => {
    expect(() => readVekExtensions(changed('VCEK', '.1', integer(2)))).toThrow('up to 1, found 2');
    expect(() => readVekExtensions(changed('VCEK', '.1', integer(1)))).toThrow('.3.9, found none');
    expect(() => readVekExtensions(changed('TURIN_VCEK', '.1', integer(0)))).toThrow(
      '.3.4, found none',
    );
  });

  it('accepts a HWID of raw octets, of exactly the length of its layout', () => {
    const hwid = hexBytes('0123456789abcdef'.repeat(8));
    expect(() => readVekExtensions(changed('VCEK', '.4', octetString(hwid)))).toThrow(
      'expected HWID of 64 octets, found 66',
    );
    expect(() => readVekExtensions(changed('VCEK', '.4', hwid.subarray(56)))).toThrow(
      'expected HWID of 64 octets, found 8',
    );
    expect(() => readVekExtensions(changed('TURIN_VCEK', '.4', hwid))).toThrow(
      'expected HWID of 8 octets, found 64',
    );
  });

  it('requires exactly one of HWID and CSP_ID', () => {
    const both = vekExtensions({ ...VCEK, cspId: 'CN=a' });
    expect(() => readVekExtensions(both)).toThrow(`expected no other extension, found ${ARC}.5`);
    const none = vekExtensions({ ...VCEK, hwid: null });
    expect(() => readVekExtensions(none)).toThrow(`expected extension ${ARC}.5, found none`);
  });

  it('accepts product and provider names that are IA5String of at most 256 octets only', () => {
    for (const id of ['.2', '.5']) {
      expect(() => readVekExtensions(changed('VLEK', id, utf8String('Milan')))).toThrow(
        'expected IA5 STRING',
      );
      const long = ia5String('a'.repeat(257));
      expect(() => readVekExtensions(changed('VLEK', id, long))).toThrow('of at most');
    }
    expect(() => readVekExtensions(changed('VLEK', '.1', boolean(true)))).toThrow('INTEGER');
  });

  it('writes a level of zero for a Turin TCB component that is not given', () => {
    const { fmc: _, ...tcb } = TURIN_VCEK.tcb;
    expect(readVekExtensions(vekExtensions({ ...TURIN_VCEK, tcb })).tcb).toEqual({
      fmc: 0,
      ...tcb,
    });
  });
});
