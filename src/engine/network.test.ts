import { expect, it } from 'vitest';
import { GUEST_NETWORK } from './network.ts';

it('limits frames to what one write to a stream takes whole', () => {
  const [length, header] = [4, 14];
  // The kernel splits writes to unix sockets into pieces of at least so many bytes.
  expect(length + header + GUEST_NETWORK.mtu).toBeLessThanOrEqual(32 * 1024);
});
