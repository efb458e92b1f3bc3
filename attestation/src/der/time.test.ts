import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DerReader } from './reader.ts';
import { Tag } from './tags.ts';
import { readTime } from './time.ts';
import { time, value } from './writer.ts';

function read(tag: number, text: string): string {
  const reader = new DerReader(value(tag, new TextEncoder().encode(text)));
  return new Date(readTime(reader)).toISOString();
}

describe('times', () => {
  it('reads UTCTime until 2049 and GeneralizedTime after', () => {
    expect(read(Tag.UTC_TIME, '201022172305Z')).toBe('2020-10-22T17:23:05.000Z');
    expect(read(Tag.UTC_TIME, '491231235959Z')).toBe('2049-12-31T23:59:59.000Z');
    expect(read(Tag.UTC_TIME, '500101000000Z')).toBe('1950-01-01T00:00:00.000Z');
    expect(read(Tag.GENERALIZED_TIME, '20500101000000Z')).toBe('2050-01-01T00:00:00.000Z');
    expect(read(Tag.UTC_TIME, '240229000000Z')).toBe('2024-02-29T00:00:00.000Z');
  });

  it.each([
    [Tag.UTC_TIME, ''],
    [Tag.UTC_TIME, '2010221723Z'],
    [Tag.UTC_TIME, '201022172305'],
    [Tag.UTC_TIME, '201022172305+0100'],
    [Tag.UTC_TIME, '\ufeff201022172305Z'],
    [Tag.UTC_TIME, '20201022172305Z'],
    [Tag.UTC_TIME, '230229000000Z'],
    [Tag.UTC_TIME, '231301000000Z'],
    [Tag.UTC_TIME, '230001000000Z'],
    [Tag.UTC_TIME, '230101240000Z'],
    [Tag.UTC_TIME, '230101000060Z'],
    [Tag.GENERALIZED_TIME, '\ufeff20500101000000Z'],
    [Tag.GENERALIZED_TIME, '20491231235959Z'],
    [Tag.GENERALIZED_TIME, '00500101000000Z'],
    [Tag.GENERALIZED_TIME, '99991231235960Z'],
    [Tag.GENERALIZED_TIME, '20500101000000.5Z'],
    [Tag.GENERALIZED_TIME, '500101000000Z'],
  ])('refuses a time with tag %i and the text %j', (tag, text) => {
    expect(() => read(tag, text)).toThrow('expected a time of RFC 5280');
  });

  it('refuses a time of another string type', () => {
    expect(() => read(Tag.IA5_STRING, '201022172305Z')).toThrow('expected UTC TIME');
  });

  it('reads a time back as it was written', { timeout: FUZZ_TIMEOUT }, async () => {
    const from = Date.parse('1950-01-01T00:00:00Z') / 1000;
    const to = Date.parse('9999-12-31T23:59:59Z') / 1000;
    await fuzz(
      fc.property(fc.integer({ min: from, max: to }), (seconds) => {
        expect(readTime(new DerReader(time(seconds * 1000)))).toBe(seconds * 1000);
      }),
    );
  });
});
