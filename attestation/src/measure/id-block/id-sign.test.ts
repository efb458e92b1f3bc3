import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../errors.ts';
import { encodeIdAuth, type IdAuth, parseIdAuth } from './id-auth.ts';
import type { IdBlock } from './id-block.ts';
import { idKeyDigest } from './id-key.ts';
import { signIdBlock, verifyIdBlock } from './id-sign.ts';

const ID = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const AUTHOR = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const BLOCK: IdBlock = {
  launchDigest: new Uint8Array(48).fill(3),
  familyId: new Uint8Array(16).fill(1),
  imageId: new Uint8Array(16).fill(2),
  guestSvn: 5,
  policy: 0x30000n,
};
const SIGNED = signIdBlock({ idBlock: BLOCK, idKey: ID.privateKey });
const VOUCHED = signIdBlock({
  idBlock: BLOCK,
  idKey: ID.privateKey,
  authorKey: AUTHOR.privateKey,
});
const MALFORMED = expect.objectContaining({ code: 'id-block-malformed' });
const FORGED = expect.objectContaining({ code: 'id-block-signature' });

describe('signIdBlock', () => {
  it('signs an ID block that verifies', () => {
    const digest = idKeyDigest(ID.publicKey);
    expect(SIGNED.idKeyDigest).toEqual(digest);
    expect(verifyIdBlock(SIGNED.idBlock, SIGNED.idAuth)).toEqual({
      idBlock: BLOCK,
      idKeyDigest: digest,
    });
  });

  it('signs the ID key with an author key', () => {
    const authorKeyDigest = idKeyDigest(AUTHOR.publicKey);
    expect(VOUCHED.authorKeyDigest).toEqual(authorKeyDigest);
    expect(verifyIdBlock(VOUCHED.idBlock, VOUCHED.idAuth)).toEqual({
      idBlock: BLOCK,
      idKeyDigest: idKeyDigest(ID.publicKey),
      authorKeyDigest,
    });
  });

  it('signs an ID block with private keys on P-384 only', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const unusable = [other, ID.publicKey, createPublicKey(ID.privateKey)];
    for (const idKey of unusable) {
      expect(() => signIdBlock({ idBlock: BLOCK, idKey })).toThrow(TypeError);
    }
    const authorKey = other;
    expect(() => signIdBlock({ idBlock: BLOCK, idKey: ID.privateKey, authorKey })).toThrow(
      TypeError,
    );
  });
});

describe('verifyIdBlock', () => {
  it.each([0, 50, 70, 84, 88])('refuses an ID block with byte %i changed', (index) => {
    const block = SIGNED.idBlock.with(index, Number(SIGNED.idBlock[index]) ^ 1);
    expect(() => verifyIdBlock(block, SIGNED.idAuth)).toThrow(FORGED);
  });

  it('refuses an ID block with the signature of another', () => {
    const again = signIdBlock({ idBlock: { ...BLOCK, guestSvn: 6 }, idKey: ID.privateKey });
    expect(() => verifyIdBlock(SIGNED.idBlock, again.idAuth)).toThrow(FORGED);
  });

  it('refuses an ID block whose author did not sign its ID key', () => {
    const auth = parseIdAuth(VOUCHED.idAuth);
    const other = signIdBlock({
      idBlock: BLOCK,
      idKey: AUTHOR.privateKey,
      authorKey: ID.privateKey,
    });
    const author = parseIdAuth(other.idAuth).author;
    expect(() => verifyIdBlock(VOUCHED.idBlock, encodeIdAuth({ ...auth, author }))).toThrow(FORGED);
  });
});

describe('parseIdAuth', () => {
  it('parses the authentication of an ID block back as it was encoded', () => {
    for (const { idAuth } of [SIGNED, VOUCHED]) {
      expect(encodeIdAuth(parseIdAuth(idAuth))).toEqual(idAuth);
    }
    expect(parseIdAuth(SIGNED.idAuth)).not.toHaveProperty('author');
  });

  it.each<[string, Uint8Array]>([
    ['another length', SIGNED.idAuth.subarray(1)],
    ['another algorithm of the ID key', SIGNED.idAuth.with(0, 2)],
    ['another algorithm of the author', VOUCHED.idAuth.with(4, 2)],
    ['an author without a key', SIGNED.idAuth.with(4, 1)],
    ['an author of no algorithm', VOUCHED.idAuth.with(4, 0)],
    ['a reserved byte before the signature', SIGNED.idAuth.with(0x3f, 1)],
    ['a reserved byte behind the ID key', SIGNED.idAuth.with(0x644, 1)],
    ['a reserved byte behind the author key', VOUCHED.idAuth.with(0xc84, 1)],
    ['a reserved byte at the end', VOUCHED.idAuth.with(4095, 1)],
    ['a key of another curve', SIGNED.idAuth.with(0x240, 1)],
    ['a padded signature', SIGNED.idAuth.with(0x40 + 511, 1)],
    ['an author key of another curve', VOUCHED.idAuth.with(0x880, 1)],
  ])('refuses the authentication of an ID block with %s', (_, auth) => {
    expect(() => parseIdAuth(auth)).toThrow(MALFORMED);
  });

  it('refuses to encode an ID authentication that it would not parse', () => {
    const auth: IdAuth = parseIdAuth(VOUCHED.idAuth);
    expect(() => encodeIdAuth({ ...auth, idKey: new Uint8Array(4) })).toThrow(MALFORMED);
    const author = { key: auth.idKey, signature: new Uint8Array(4) };
    expect(() => encodeIdAuth({ ...auth, author })).toThrow(MALFORMED);
  });

  it(
    'parses any bytes as an ID authentication or throws one kind of error',
    async () => {
      const edits = fc.array(fc.tuple(fc.nat(4095), fc.nat(255)), { minLength: 1, maxLength: 4 });
      await fuzz(
        fc.property(edits, (changes) => {
          const auth = VOUCHED.idAuth.slice();
          for (const [index, byte] of changes) auth[index] = byte;
          expect(outcome(auth)).not.toBe('another error');
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

function outcome(auth: Uint8Array): string {
  try {
    verifyIdBlock(VOUCHED.idBlock, auth);
    return 'verified';
  } catch (error) {
    return error instanceof AttestationError ? error.code : 'another error';
  }
}
