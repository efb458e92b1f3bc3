import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Networks } from '../../networks/networks.ts';
import { FakeHostNetworks } from '../../networks/testing/fake-host-networks.ts';
import type { Box } from '../record/box.ts';
import type { BoxStore } from '../record/store.ts';
import { Events } from '../services/events.ts';
import { testDefinition } from '../testing/definition.ts';
import { publishRefusals, watchNetworks } from './networks.ts';

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
  watchNetworks({ ...fakeServer(), hostNetworks, shutdown: shutdown.signal });
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

/** As much of a server as refusals need: one box, in no network but its own. */
function fakeServer(box?: Pick<Box, 'definition' | 'name'>) {
  const store = { get: (id: string) => (box?.definition.id === id ? box : undefined) };
  return {
    store: store as unknown as BoxStore,
    networks: { get: () => undefined } as unknown as Networks,
    events: new Events(),
    log: { info: vi.fn(), error: vi.fn() },
  };
}

it('publishes what policies have refused, and a bounded part of it', async () => {
  const hostNetworks = new FakeHostNetworks();
  const definition = testDefinition('1'.repeat(64));
  const server = fakeServer({ definition, name: 'web' });
  const refusal = { of: 'box' as const, rule: 'default:deny', box: definition.id, network: 'n' };
  hostNetworks.refused = [
    ...Array.from({ length: 20 }, (_, at) => ({ ...refusal, target: `n${at}.example` })),
    { ...refusal, target: 'gone.example', box: 'gone' },
  ];
  await publishRefusals({ ...server, hostNetworks });
  const until = new AbortController();
  const seen = [];
  for await (const event of server.events.follow({ since: 0n, until: undefined }, until.signal)) {
    seen.push(event);
    if (seen.length === 16) until.abort();
  }
  expect(seen[0]).toMatchObject({
    ...{ type: 'container', action: 'egress-refused', id: definition.id },
    attributes: {
      ...{ target: 'n0.example', policy: 'box', rule: 'default:deny', network: 'bridge' },
      name: 'web',
    },
  });
  expect(seen.at(-1)?.attributes).toMatchObject({ target: 'n15.example', more: '4' });
  await publishRefusals({ ...server, hostNetworks });
  expect(server.log.error).not.toHaveBeenCalled();
});
