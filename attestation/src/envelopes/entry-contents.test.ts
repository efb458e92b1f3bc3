import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DerError } from '../der/error.ts';
import { AttestationError } from '../errors.ts';
import { encodePem } from './encodings/pem.ts';
import { type EntryName, entryContents, MOST_IN_ENTRY } from './entry-contents.ts';

const FIRST = Uint8Array.of(0x30, 3, 1, 2, 0);
const SECOND = Uint8Array.of(0x30, 0x81, 0x80, ...new Uint8Array(128));
const NAMES: readonly EntryName[] = ['vcek', 'vlek', 'ask', 'ark', 'crl'];

function text(name: EntryName, ...ders: readonly Uint8Array[]): string {
  const label = name === 'crl' ? 'X509 CRL' : 'CERTIFICATE';
  return ders.map((der) => encodePem(label, der)).join('');
}

const bytes = (string: string) => new TextEncoder().encode(string);
const pem = (name: EntryName, ...ders: readonly Uint8Array[]) => bytes(text(name, ...ders));

describe('entryContents', () => {
  it.each(NAMES)('reads DER and PEM from a %s entry', (name) => {
    expect(entryContents(name, FIRST)).toEqual([FIRST]);
    expect(entryContents(name, SECOND)).toEqual([SECOND]);
    expect(entryContents(name, pem(name, SECOND))).toEqual([SECOND]);
  });

  it('copies the DER of an entry', () => {
    const entry = Uint8Array.from(FIRST);
    const contents = entryContents('vcek', entry);
    entry.fill(0);
    expect(contents).toEqual([FIRST]);
  });

  it('reads two authorities from one entry, and only one of any other certificate or list', () => {
    expect(MOST_IN_ENTRY).toEqual({ vcek: 1, vlek: 1, ask: 2, ark: 2, crl: 1 });
    for (const name of NAMES) {
      const two = entryContents(name, pem(name, FIRST, SECOND));
      expect(two).toEqual(['ask', 'ark'].includes(name) ? [FIRST, SECOND] : undefined);
      expect(entryContents(name, pem(name, FIRST, SECOND, FIRST))).toBeUndefined();
    }
  });

  it('ignores zeros behind the DER of an entry, and refuses any other bytes there', () => {
    expect(entryContents('vcek', Uint8Array.of(...FIRST, ...new Uint8Array(4096)))).toEqual([
      FIRST,
    ]);
    for (const behind of [[0x20], [0x0a], [1], [0, 0, 1, 0], [...FIRST], [0, ...FIRST]]) {
      for (const name of NAMES) {
        const entry = Uint8Array.of(...FIRST, ...behind);
        expect(() => entryContents(name, entry)).toThrow(DerError);
      }
    }
  });

  it('ignores zeros and white space behind the PEM of an entry, and refuses any other bytes there', () => {
    for (const behind of ['\0', '\0\0\0', '\n \t\r\n\f', ' \0 \n\0', '\0'.repeat(4096)]) {
      expect(entryContents('ask', bytes(text('ask', FIRST, SECOND) + behind))).toEqual([
        FIRST,
        SECOND,
      ]);
    }
    for (const behind of ['x', '\0x', '\x0b', '\x01', '\xa0', '\ufeff', '0', ' \0.\0']) {
      const entry = bytes(text('ask', FIRST) + behind);
      expect(() => entryContents('ask', entry)).toThrow(AttestationError);
    }
  });

  it('refuses padding anywhere but at the end of an entry', () => {
    const [begin, ...rest] = text('ask', FIRST).split('\n');
    for (const entry of [
      `\0${text('ask', FIRST)}`,
      `${text('ask', FIRST)}\0${text('ask', SECOND)}`,
      `${begin}\0\n${rest.join('\n')}`,
      `${begin}\n\0${rest.join('\n')}`,
    ]) {
      expect(() => entryContents('ask', bytes(entry))).toThrow(
        expect.objectContaining({ code: 'pem-malformed' }),
      );
    }
    expect(() => entryContents('ask', Uint8Array.of(0, ...FIRST))).toThrow(AttestationError);
  });

  it('refuses an entry that is empty or ends too early', () => {
    for (const entry of [[], [0], [0, 0, 0], [0x20, 0x0a], [0x31, 0]]) {
      expect(() => entryContents('vcek', Uint8Array.from(entry))).toThrow(
        expect.objectContaining({ code: 'pem-malformed' }),
      );
    }
    for (const entry of [[0x30], [0x30, 2, 0], [0x30, 0x80, 0, 0], [0x30, 0x81, 1, 0]]) {
      expect(() => entryContents('vcek', Uint8Array.from(entry))).toThrow(DerError);
    }
  });

  it('refuses a revocation list as a certificate, and a certificate as a revocation list', () => {
    expect(() => entryContents('crl', pem('ask', FIRST))).toThrow(AttestationError);
    expect(() => entryContents('ask', pem('crl', FIRST))).toThrow(AttestationError);
  });

  it('reads the same certificates however an entry is padded', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const name = fc.constantFrom(...NAMES);
    const der = fc.constantFrom(FIRST, SECOND);
    const blanks = fc.array(fc.constantFrom(0, 9, 10, 12, 13, 32), { maxLength: 40 });
    await fuzz(
      fc.property(name, der, blanks, fc.nat(5000), (slot, value, padding, zeros) => {
        const padded = Uint8Array.of(...pem(slot, value), ...padding);
        expect(entryContents(slot, padded)).toEqual([value]);
        const filled = new Uint8Array(value.length + zeros);
        filled.set(value);
        expect(entryContents(slot, filled)).toEqual([value]);
      }),
    );
  });
});
