import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FakeHostNetworks } from '../../networks/testing/fake-host-networks.ts';
import { watchNetworks } from './networks.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('repairs networks one after the other, until the server ends', async () => {
  const hostNetworks = new FakeHostNetworks();
  const ended: (() => void)[] = [];
  const repair = vi.spyOn(hostNetworks, 'repair');
  repair.mockImplementation(() => new Promise((resolve) => ended.push(resolve)));
  const shutdown = new AbortController();
  watchNetworks({ hostNetworks, shutdown: shutdown.signal });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(repair).toHaveBeenCalledTimes(1);
  ended[0]?.();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(repair).toHaveBeenCalledTimes(2);
  ended[1]?.();
  shutdown.abort();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(repair).toHaveBeenCalledTimes(2);
});
