import { parseLaunchSpec } from '@a3s-box/policies';
import { describe, expect, it } from 'vitest';
import { AttestAnswer, InfoAnswer } from '../protocol/messages.ts';
import { narrowed, refusalOf } from './read-json.ts';

const ODD = '{"length":{"toString":false}}';
const body = (text: string) => Buffer.from(text.replaceAll('ODD', ODD));

describe('an answer whose parts have a length that is none', () => {
  it.each([
    [
      'evidence',
      AttestAnswer,
      '{"evidence":{"schema":"a3s-box/evidence/v1","tee":"simulated","report":ODD},"instance":"","specDigest":"","spec":ODD}',
    ],
    [
      'info',
      InfoAnswer,
      '{"protocol":1,"tee":"simulated","instance":"","specDigest":"","secrets":ODD}',
    ],
  ])('is of no protocol: %s', (_, schema, text) => {
    expect(() => narrowed(body(text), schema)).toThrow(
      expect.objectContaining({ code: 'protocol' }),
    );
  });

  it('is no refusal', () => {
    const text = '{"error":{"code":"conflict","message":ODD}}';
    expect(refusalOf({ status: 400, body: body(text) }).code).toBe('protocol');
  });

  it('is no launch spec', () => {
    expect(() => parseLaunchSpec(body('{"secrets":ODD}'))).toThrow(
      expect.objectContaining({ code: 'launch-spec-malformed' }),
    );
  });
});
