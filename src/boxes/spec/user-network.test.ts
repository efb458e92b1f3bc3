import { describe, expect, it } from 'vitest';
import { type BesideNetwork, checkUserNetwork } from './user-network.ts';

const NOTHING: BesideNetwork = { network: 'user', confidential: false, fork: false };

describe('a box in a user-defined network', () => {
  it('is created where it asks for nothing else', () => {
    expect(checkUserNetwork(NOTHING)).toBeUndefined();
  });

  it.each([
    [{ confidential: true }, 'a confidential box'],
    [{ fork: true }, 'a fork'],
  ])('is refused with %j, which is no reason in another network', (more, what) => {
    expect(() => checkUserNetwork({ ...NOTHING, ...more })).toThrow(
      `Cannot put ${what} into a user-defined network`,
    );
    for (const network of ['default', 'none'] as const) {
      expect(checkUserNetwork({ ...NOTHING, ...more, network })).toBeUndefined();
    }
  });
});
