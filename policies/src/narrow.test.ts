import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import { fc } from '@fast-check/vitest';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { narrow } from './narrow.ts';

const DOCUMENT = z.strictObject({
  name: z.string().min(1).max(8),
  parts: z.array(z.string().max(4)).max(3).optional(),
});

it('returns the value that the schema parses', () => {
  expect(narrow(DOCUMENT, { name: 'a' })).toEqual({ success: true, data: { name: 'a' } });
  expect(narrow(DOCUMENT, { name: '' }).error?.issues[0]?.path).toEqual(['name']);
});

it('refuses a value on which zod itself throws a TypeError', () => {
  const name = { length: { toString: false } };
  expect(() => DOCUMENT.safeParse({ name })).toThrow(TypeError);
  expect(narrow(DOCUMENT, { name })).toMatchObject({ success: false });
});

it('rethrows the error of a refinement of the schema', () => {
  const broken = z.string().refine(() => {
    throw new RangeError('ours');
  });
  expect(() => narrow(broken, 'a')).toThrow('ours');
});

it('never throws for a JSON value', { timeout: FUZZ_TIMEOUT }, async () => {
  const awkward = fc.constantFrom('length', 'toString', 'valueOf', '__proto__', 'name', 'parts');
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(false, null, 0, 'x'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(awkward, tie('value'), { maxKeys: 3 }),
    ),
  })).value;
  await fuzz(fc.property(value, (document) => void narrow(DOCUMENT, document)));
});
