import { describe, expect, it } from 'vitest';
import { DerError } from '../der/error.ts';
import { DerReader } from '../der/reader.ts';
import { boolean, octetString, oid, sequence } from '../der/writer.ts';
import { type Extension, ExtensionSet, encodeExtensions, readExtensions } from './extensions.ts';

const VALUE = Uint8Array.of(1, 2);
const PLAIN: Extension = { id: '1.2.3', critical: false, value: VALUE };
const CRITICAL: Extension = { id: '1.2.4', critical: true, value: VALUE };

function read(...list: Uint8Array[]): readonly Extension[] {
  return readExtensions(new DerReader(sequence(...list)));
}

describe('reading extensions', () => {
  it('reads the identifier, criticality and octets of each extension', () => {
    const encoded = encodeExtensions([PLAIN, CRITICAL]);
    expect(readExtensions(new DerReader(encoded))).toEqual([PLAIN, CRITICAL]);
  });

  it('reads at most 32 extensions', () => {
    const one = sequence(oid('1.2.3'), octetString(VALUE));
    expect(read(...Array(32).fill(one))).toHaveLength(32);
    expect(() => read(...Array(33).fill(one))).toThrow(
      'expected at most 32 extensions, found more',
    );
  });

  it.each<[string, Uint8Array[], string]>([
    ['none', [], 'expected another octet, found the end'],
    [
      'a spelled-out default',
      [sequence(oid('1.2.3'), boolean(false), octetString(VALUE))],
      'critical FALSE',
    ],
    ['no octets', [sequence(oid('1.2.3'))], 'found the end'],
    ['no identifier', [sequence(octetString(VALUE))], 'expected OBJECT IDENTIFIER'],
    [
      'something behind the octets',
      [sequence(oid('1.2.3'), octetString(VALUE), boolean(true))],
      'trailing octets',
    ],
  ])('refuses a list of extensions: %s', (_, list, message) => {
    expect(() => read(...list)).toThrow(DerError);
    expect(() => read(...list)).toThrow(message);
  });
});

describe('a set of extensions', () => {
  it('hands out each extension once', () => {
    const set = new ExtensionSet([PLAIN, CRITICAL]);
    expect(set.has('1.2.3')).toBe(true);
    expect(set.take('1.2.3', false)).toEqual(VALUE);
    expect(set.has('1.2.3')).toBe(false);
    expect(() => set.take('1.2.3', false)).toThrow('expected extension 1.2.3, found none');
    expect(() => set.end()).toThrow('expected no other extension, found 1.2.4');
    expect(set.take('1.2.4', true)).toEqual(VALUE);
    set.end();
  });

  it('refuses a set that has one extension twice', () => {
    expect(() => new ExtensionSet([PLAIN, { ...PLAIN }])).toThrow(
      'expected each extension once, found 1.2.3 twice',
    );
  });

  it('refuses an extension of another criticality than expected', () => {
    const set = new ExtensionSet([PLAIN, CRITICAL]);
    expect(() => set.take('1.2.3', true)).toThrow('expected extension 1.2.3 critical');
    expect(() => set.take('1.2.4', false)).toThrow('expected extension 1.2.4 not critical');
  });
});
