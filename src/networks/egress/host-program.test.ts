import { expect, it } from 'vitest';
import { egressFilter } from './host-program.ts';

it('starts no program for a namespace on a processor that the filter is not for', () => {
  expect(egressFilter('x64').length).toBeGreaterThan(0);
  expect(() => egressFilter('arm64')).toThrow(
    expect.objectContaining({
      code: 'network-unavailable',
      message: 'Cannot limit what the box reaches: there is no filter of system calls for arm64',
    }),
  );
});
