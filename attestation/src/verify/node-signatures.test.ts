import { generateKeyPairSync, sign } from 'node:crypto';
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

describe('signatures', () => {
  it('verifies signatures alike with node:crypto and with WebCrypto', async () => {
    const genuine = question();
    const forged = { ...genuine, signed: new TextEncoder().encode('forged') };
    expect(answerNow(ask(genuine))).toBe(true);
    expect(answerNow(ask(forged))).toBe(false);
    expect(await answerLater(ask(genuine))).toBe(true);
    expect(await answerLater(ask(forged))).toBe(false);
  });

  it('verifies signatures of more keys than its cache holds', { timeout: 30_000 }, () => {
    const questions = Array.from({ length: 300 }, question);
    for (const each of [...questions, ...questions]) expect(answerNow(ask(each))).toBe(true);
  });
});
