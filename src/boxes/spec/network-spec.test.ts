import { describe, expect, it } from 'vitest';
import { type BesideNetwork, checkUserNetwork } from './network-spec.ts';

const NOTHING: BesideNetwork = { network: 'user', confidential: false, fork: false };

describe('what a box in a user-defined network may be', () => {
  it('allows a plain box', () => {
    expect(checkUserNetwork(NOTHING)).toBeUndefined();
  });

  it.each([
    [{ confidential: true }, 'a confidential box'],
    [{ fork: true }, 'a fork'],
  ])('refuses %j in a user-defined network, and in no other', (more, what) => {
    expect(() => checkUserNetwork({ ...NOTHING, ...more })).toThrow(
      `Cannot put ${what} into a user-defined network`,
    );
    for (const network of ['default', 'none'] as const) {
      expect(checkUserNetwork({ ...NOTHING, ...more, network })).toBeUndefined();
    }
  });
});
