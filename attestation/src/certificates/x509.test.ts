import { describe, expect, it } from 'vitest';
import { DerError } from '../der/error.ts';
import { Tag } from '../der/tags.ts';
import { bitString, integer, sequence } from '../der/writer.ts';
import { pssAlgorithm } from './algorithms.ts';
import { SIGNATURE, VCEK, vek } from './testing/samples.ts';
import { readCertificate, readSigned, requirePss } from './x509-structures.ts';

describe('what is signed', () => {
  it('keeps the signed part of a certificate as it is encoded', () => {
    const tbs = sequence(integer(7));
    const algorithm = sequence(integer(8));
    const signed = readSigned(sequence(tbs, algorithm, bitString(SIGNATURE)), 1000);
    expect(signed).toMatchObject({ tbs, algorithm, signature: SIGNATURE });
    expect(signed.fields.take(Tag.INTEGER).content).toEqual(Uint8Array.of(7));
    signed.fields.end();
  });

  it('refuses a signed structure above its greatest size', () => {
    expect(() => readSigned(new Uint8Array(1001), 1000)).toThrow('at most 1000 bytes');
  });
});

describe('a certificate', () => {
  it('keeps the inner and the outer signature algorithm of a certificate without judging them', () => {
    const der = vek({ ...VCEK, trailerField: true });
    const { innerAlgorithm, outerAlgorithm } = readCertificate(der, der.length);
    expect(innerAlgorithm).toEqual(pssAlgorithm(true));
    expect(outerAlgorithm).toEqual(pssAlgorithm(true));
  });
});

describe('the algorithm of a signature', () => {
  const plain = pssAlgorithm(false);
  const explicit = pssAlgorithm(true);

  it('requires RSASSA-PSS in the same encoding in both places', () => {
    requirePss(plain, plain);
    requirePss(explicit, explicit);
    expect(() => requirePss(plain, explicit)).toThrow(DerError);
    expect(() => requirePss(explicit, plain)).toThrow('expected the algorithm that is signed');
    expect(() => requirePss(sequence(), sequence())).toThrow('expected RSASSA-PSS');
  });
});
