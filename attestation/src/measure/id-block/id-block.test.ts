import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../errors.ts';
import { toHex } from '../../hex.ts';
import { bytes } from '../testing/known-launches.ts';
import { encodeIdBlock, type IdBlock, parseIdBlock } from './id-block.ts';

const BLOCK: IdBlock = {
  launchDigest: bytes(
    'a14d638341e5674628fe1e02fbedebe5e5ab4faf1dd72d8966068e615bb99efd13d214b35c231715b38e263dc6059745',
  ),
  familyId: new Uint8Array(16),
  imageId: new Uint8Array(16),
  guestSvn: 0,
  policy: 0x30000n,
};

describe('encodeIdBlock', () => {
  it('encodes an ID block as other tools encode it', () => {
    expect(toHex(encodeIdBlock(BLOCK))).toBe(
      `${toHex(BLOCK.launchDigest)}${'00'.repeat(32)}01000000000000000000030000000000`,
    );
  });

  it.each<[string, Partial<IdBlock>]>([
    ['a digest of another length', { launchDigest: new Uint8Array(32) }],
    ['a family of another length', { familyId: new Uint8Array(15) }],
    ['an image of another length', { imageId: new Uint8Array(17) }],
    ['a negative SVN', { guestSvn: -1 }],
    ['an SVN of 33 bits', { guestSvn: 2 ** 32 }],
    ['a policy without bit 17', { policy: 0x10000n }],
    ['a policy with an unknown bit', { policy: 0x30000n | (1n << 26n) }],
    ['a negative policy', { policy: -1n }],
  ])('refuses to encode an ID block with %s', (_, change) => {
    expect(() => encodeIdBlock({ ...BLOCK, ...change })).toThrow(RangeError);
  });
});

describe('parseIdBlock', () => {
  const good = encodeIdBlock({ ...BLOCK, guestSvn: 7, familyId: new Uint8Array(16).fill(1) });

  it('parses an ID block back as it was encoded', () => {
    expect(encodeIdBlock(parseIdBlock(good))).toEqual(good);
    expect(parseIdBlock(good)).toMatchObject({ guestSvn: 7, policy: 0x30000n });
  });

  it.each<[string, Uint8Array]>([
    ['too few bytes', good.subarray(1)],
    ['too many bytes', Uint8Array.from([...good, 0])],
    ['another version', good.with(80, 2)],
    ['a policy without bit 17', good.with(90, 1)],
    ['a policy with an unknown bit', good.with(91, 4)],
  ])('refuses an ID block with %s', (_, block) => {
    expect(() => parseIdBlock(block)).toThrow(
      expect.objectContaining({ code: 'id-block-malformed' }),
    );
  });

  it(
    'parses each encoding as one ID block or throws one kind of error',
    async () => {
      const block = fc.uint8Array({ minLength: 94, maxLength: 96 });
      await fuzz(
        fc.property(block, (value) => {
          const patched = value.slice();
          patched.set([1, 0, 0, 0], 80);
          patched.set([0, 0, 2, 0, 0, 0, 0, 0].slice(0, patched.length - 88), 88);
          expect([toHex(patched), 'refused']).toContain(recoded(patched));
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

function recoded(value: Uint8Array): string {
  try {
    return toHex(encodeIdBlock(parseIdBlock(value)));
  } catch (error) {
    return error instanceof AttestationError ? 'refused' : String(error);
  }
}
