import { describe, expect, it } from 'vitest';
import { toHex } from '../hex.ts';
import { isPssAlgorithm, pssAlgorithm } from './algorithms.ts';

describe('RSASSA-PSS with SHA-384', () => {
  it('encodes RSASSA-PSS with SHA-384 in both encodings that AMD uses', () => {
    expect(toHex(pssAlgorithm(false))).toBe(
      '304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108' +
        '300d06096086480165030402020500a203020130',
    );
    expect(toHex(pssAlgorithm(true))).toBe(
      '304606092a864886f70d01010a3039a00f300d06096086480165030402020500a11c301a06092a864886f70d010108' +
        '300d06096086480165030402020500a203020130a303020101',
    );
  });

  it.each([false, true])(
    'refuses a PSS algorithm with any byte changed (trailer field %s)',
    (trailerField) => {
      const encoded = pssAlgorithm(trailerField);
      expect(isPssAlgorithm(encoded)).toBe(true);
      expect(isPssAlgorithm(encoded.subarray(1))).toBe(false);
      for (const [index, byte] of encoded.entries()) {
        const changed = Uint8Array.from(encoded);
        changed[index] = byte ^ 1;
        expect(isPssAlgorithm(changed)).toBe(false);
      }
    },
  );
});
