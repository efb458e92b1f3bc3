import { readFileSync } from 'node:fs';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { narrowed } from '../client/read-json.ts';
import { RatlsError } from '../errors.ts';
import { AttestAnswer } from '../protocol/messages.ts';
import { CborError } from './cbor.ts';
import { decodeClaims, encodeClaims } from './claims.ts';
import { decodeEvidence, encodeEvidence } from './evidence-extension.ts';
import { openPeerCertificate, peerEvidence } from './peer-certificate.ts';

const VECTORS = '../../../test/vectors/ratls/certificates/good.json';
const { certificate } = JSON.parse(readFileSync(new URL(VECTORS, import.meta.url), 'utf8'));
const GOOD = Buffer.from(certificate, 'base64');
const { spki, evidence } = openPeerCertificate(GOOD);
const EXTENSION = evidence.get('simulated') ?? new Uint8Array();
const CLAIMS = decodeEvidence(EXTENSION).claims;

/** A valid input with some bytes replaced, removed or inserted. */
function mutated(good: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    at: fc.nat(good.length - 1),
    remove: fc.nat(4),
    insert: fc.uint8Array({ maxLength: 4 }),
  });
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) =>
      changes.reduce<Uint8Array>(
        (bytes, { at, remove, insert }) =>
          Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]),
        good,
      ),
    );
}

/** The result of `read`, or undefined when it throws an error of the given class. */
function unless<T>(error: new (...args: never[]) => Error, read: () => T): T | undefined {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof error) return undefined;
    throw cause;
  }
}

describe('arbitrary input from a peer', () => {
  it('decodes claims in only one encoding', { timeout: FUZZ_TIMEOUT }, () =>
    fuzz(
      fc.property(fc.oneof(fc.uint8Array(), mutated(CLAIMS)), (bytes) => {
        const claims = unless(CborError, () => decodeClaims(bytes));
        if (claims !== undefined)
          expect(Buffer.from(encodeClaims(claims)).equals(bytes)).toBe(true);
      }),
    ),
  );

  it('decodes evidence in only one encoding', { timeout: FUZZ_TIMEOUT }, () =>
    fuzz(
      fc.property(fc.oneof(fc.uint8Array(), mutated(EXTENSION)), (bytes) => {
        const read = unless(CborError, () => decodeEvidence(bytes));
        if (read !== undefined) expect(Buffer.from(encodeEvidence(read)).equals(bytes)).toBe(true);
      }),
    ),
  );

  it(
    'refuses any changed certificate with a code, or reads the key that was signed',
    { timeout: FUZZ_TIMEOUT },
    () =>
      fuzz(
        fc.property(fc.oneof(fc.uint8Array(), mutated(GOOD)), (bytes) => {
          const read = unless(RatlsError, () =>
            peerEvidence(openPeerCertificate(bytes), 'simulated'),
          );
          if (read !== undefined) expect(Buffer.from(read.spki).equals(spki)).toBe(true);
        }),
      ),
  );

  it('refuses any text as an answer to a challenge with a code', { timeout: FUZZ_TIMEOUT }, () =>
    fuzz(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const read = unless(RatlsError, () => narrowed(Buffer.from(text), AttestAnswer));
        expect(read).toBe(undefined);
      }),
    ),
  );
});
