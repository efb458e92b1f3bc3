import { expect, it } from 'vitest';
import { checkForkNetwork } from './network-spec.ts';

it('refuses a fork of a box in a user-defined network, and of no other', () => {
  expect(() => checkForkNetwork('user')).toThrow('Cannot put a fork into a user-defined network');
  for (const network of ['default', 'none'] as const) checkForkNetwork(network);
});
