import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../errors.ts';
import { KdsClient } from './kds.ts';
import { crlDer, MILAN, NOW, vcekDer } from './testing/certificates.ts';
import { FakeClock } from './testing/fake-clock.ts';
import type { Fetch } from './transport/fetch.ts';

const ATTEMPT = 15_001;

describe('a client of the KDS', () => {
  const response = fc.record({
    status: fc.oneof(fc.constantFrom(200, 302, 404, 429, 500), fc.nat(999)),
    header: fc.option(fc.oneof(fc.string(), fc.nat().map(String))),
    body: fc.oneof(fc.uint8Array(), fc.constant(vcekDer(MILAN)), fc.constant(crlDer())),
  });

  it(
    'ends a request with a result or with one of four codes, whatever the answers are',
    async () => {
      await fuzz(
        fc.asyncProperty(fc.infiniteStream(response), async (responses) => {
          const fetch: Fetch = async () => {
            const { status, header, body } = responses.next().value;
            return { status, headers: { get: () => header }, body };
          };
          const kds = new KdsClient({ fetch, clock: new FakeClock(NOW, [ATTEMPT]), limits });
          const calls = [
            () => kds.vcek(MILAN),
            () => kds.crl('VLEK', 'Milan'),
            () => kds.chain('VCEK', 'Milan'),
          ];
          for (const call of calls) {
            const outcome = await call().catch((error: unknown) => error);
            expect(outcome).toSatisfy(isKnown);
          }
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  const limits = { attemptTimeout: ATTEMPT };

  function isKnown(outcome: unknown): boolean {
    if (outcome instanceof Uint8Array) return outcome.length > 500;
    return outcome instanceof AttestationError && /^kds-(?!unsupported)/.test(outcome.code);
  }
});
