import { describe, expect, it } from 'vitest';
import { checkName, inventName } from './name.ts';

describe('names', () => {
  it.each(['ab', '/ab', 'A.b_c-d', '0a'])('accepts the box name %s', (name) => {
    expect(checkName(name)).toBe(name.replace('/', ''));
  });

  it.each(['', 'a', '-a', '.a', 'a b', 'a/b', 'ä', 'a'.repeat(254)])(
    'refuses the box name %j',
    (name) => {
      expect(() => checkName(name)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    },
  );

  it('generates names until one is free', () => {
    let asked = 0;
    const name = inventName(() => ++asked < 20);
    expect(name).toMatch(/^[a-z]+_[a-z]+\d+$/);
  });
});
