import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decideVector, readSigstoreVector } from './testing/sigstore-vector.ts';

const VECTORS = new URL('../../test/vectors/sigstore/', import.meta.url);
const FILES = readdirSync(VECTORS).sort();

const read = (file: string) => readSigstoreVector(readFileSync(new URL(file, VECTORS), 'utf8'));

describe('a vector of sigstore', () => {
  it.each(FILES)('decides the sigstore vector %s as expected', async (file) => {
    const vector = read(file);
    expect(`${vector.name}.json`).toBe(file);
    expect(await decideVector(vector)).toBe(vector.expected);
  });

  it('covers each area with accepted and refused vectors', () => {
    const expected = FILES.map((file) => read(file).expected);
    expect(FILES.length).toBeGreaterThanOrEqual(120);
    expect(expected.filter((code) => code === 'signed').length).toBeGreaterThanOrEqual(30);
    expect(new Set(expected).size).toBeGreaterThanOrEqual(16);
  });
});
