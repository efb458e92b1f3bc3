import { constants, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { answerNow } from './node-signatures.ts';
import type { SignatureQuestion, Verification } from './signature.ts';
import { answerLater } from './web-signatures.ts';

const signed = new TextEncoder().encode('signed');

function* ask(question: SignatureQuestion): Verification<boolean> {
  return yield question;
}

function question(): SignatureQuestion {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return {
    algorithm: 'ecdsa-p384-sha384',
    key: { point: Uint8Array.from(spki.subarray(-97)) },
    signed,
    signature: sign('sha384', signed, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

/** A key as a pinned one, and what it signs. */
function certified() {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const { n = '' } = publicKey.export({ format: 'jwk' });
  const key = { modulus: Uint8Array.from(Buffer.from(n, 'base64url')) };
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const options = { key: privateKey, padding, saltLength: 48 };
  const make = (text: Uint8Array) =>
    ({
      algorithm: 'rsa-pss-sha384',
      key,
      signed: text,
      signature: new Uint8Array(sign('sha384', text, options)),
    }) as const;
  return { genuine: make(signed), sign: make };
}

const changed = (bytes: Uint8Array) => bytes.with(-1, (bytes.at(-1) ?? 0) ^ 1);

describe('signatures', () => {
  it('verifies signatures alike with node:crypto and with WebCrypto', async () => {
    const genuine = question();
    const forged = { ...genuine, signed: new TextEncoder().encode('forged') };
    expect(answerNow(ask(genuine))).toBe(true);
    expect(answerNow(ask(forged))).toBe(false);
    expect(await answerLater(ask(genuine))).toBe(true);
    expect(await answerLater(ask(forged))).toBe(false);
  });

  it('takes no other certificate for one whose signature it has verified', () => {
    const { genuine } = certified();
    const { key, signature } = genuine;
    expect(answerNow(ask(genuine))).toBe(true);
    const moved = {
      signed: signed.subarray(1),
      signature: Buffer.concat([signature, signed.subarray(0, 1)]),
    };
    for (const forged of [
      { ...genuine, signed: changed(signed) },
      { ...genuine, signature: changed(signature) },
      { ...genuine, key: { modulus: changed(key.modulus) } },
      { ...genuine, ...moved },
    ]) {
      // What does not hold is not kept either.
      expect(answerNow(ask(forged))).toBe(false);
      expect(answerNow(ask(forged))).toBe(false);
    }
    expect(answerNow(ask(genuine))).toBe(true);
  });

  it('verifies more certificates than its cache holds', () => {
    const { sign: next } = certified();
    const questions = Array.from({ length: 300 }, (_, index) =>
      next(new TextEncoder().encode(`certificate ${index}`)),
    );
    for (const each of [...questions, ...questions]) expect(answerNow(ask(each))).toBe(true);
  });

  it('verifies signatures of more keys than its cache holds', { timeout: 30_000 }, () => {
    const questions = Array.from({ length: 300 }, question);
    for (const each of [...questions, ...questions]) expect(answerNow(ask(each))).toBe(true);
  });
});
