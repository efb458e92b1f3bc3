import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RatlsError } from '../errors.ts';
import { AttestAnswer, IdentityAnswer, InfoAnswer } from '../protocol/messages.ts';
import { readAnswer } from './read-json.ts';

const SCHEMAS = [AttestAnswer, IdentityAnswer, InfoAnswer];
/** A value whose length throws when it is compared with a number. */
const UNCOMPARABLE = { length: { toString: 0, valueOf: 0 } };
const REPORT = Buffer.alloc(1184).toString('base64');
const ANSWER = {
  evidence: { schema: 'a3s-box/evidence/v1', tee: 'simulated', report: REPORT },
  instance: '0'.repeat(32),
  specDigest: '0'.repeat(64),
  spec: Buffer.from('{}').toString('base64'),
};

function expectRefused(status: number, body: Buffer): void {
  for (const schema of SCHEMAS) {
    try {
      readAnswer({ status, body }, schema);
    } catch (error) {
      if (!(error instanceof RatlsError)) throw error;
      expect(error.message).not.toMatch(/\p{Cc}/u);
      expect(error.found ?? '').not.toMatch(/\p{Cc}/u);
    }
  }
}

it.each<[string, unknown]>([
  ['evidence', UNCOMPARABLE],
  ['spec', UNCOMPARABLE],
  ['instance', UNCOMPARABLE],
  ['evidence', { ...ANSWER.evidence, report: UNCOMPARABLE }],
  ['\u001b[2J', 'forged'],
])('refuses an answer whose %s has another type', (key, value) => {
  const body = Buffer.from(JSON.stringify({ ...ANSWER, [key]: value }));
  expect(() => readAnswer({ status: 200, body }, AttestAnswer)).toThrow(
    expect.objectContaining({ code: 'protocol', found: expect.not.stringMatching(/\p{Cc}/u) }),
  );
});

it('refuses an error answer whose code and message have another type', () => {
  const body = Buffer.from(
    JSON.stringify({ error: { code: UNCOMPARABLE, message: UNCOMPARABLE } }),
  );
  expect(() => readAnswer({ status: 400, body }, AttestAnswer)).toThrow(
    expect.objectContaining({ code: 'protocol', found: 'status 400' }),
  );
});

it('reads any bytes as an answer or refuses them', { timeout: FUZZ_TIMEOUT }, async () => {
  const member = fc.oneof(fc.jsonValue(), fc.constant(UNCOMPARABLE));
  const near = fc
    .record(
      {
        ...Object.fromEntries(
          Object.entries(ANSWER).map(([key, value]) => [key, fc.oneof(fc.constant(value), member)]),
        ),
        error: fc.record({
          code: fc.oneof(fc.string(), member),
          message: fc.oneof(fc.string(), member),
        }),
      },
      { requiredKeys: [] },
    )
    .map((document) => Buffer.from(JSON.stringify(document)));
  const bytes = fc.oneof(
    near,
    fc.json().map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }).map((data) => Buffer.from(data)),
  );
  await fuzz(
    fc.property(bytes, fc.constantFrom(200, 400, 500), (body, status) => {
      expectRefused(status, body);
    }),
  );
});
