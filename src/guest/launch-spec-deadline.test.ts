import { expect, it } from 'vitest';
import { Guest } from './guest.ts';
import type { GuestConnection } from './http2-connection.ts';

/** How long a request for a launch spec may take, in minutes. */
async function minutesOf(asked: Parameters<Guest['putLaunchSpec']>[1]): Promise<number> {
  let deadlineMs = 0;
  const connection = {
    closed: Promise.resolve(),
    call: async (...args: readonly unknown[]) => {
      ({ deadlineMs } = args.at(-1) as { readonly deadlineMs: number });
    },
  };
  await new Guest(connection as unknown as GuestConnection).putLaunchSpec('{}', asked);
  return deadlineMs / 60_000;
}

it('waits half an hour for a guest that may make volumes, and for keys of volumes beyond that', async () => {
  expect(await minutesOf(undefined)).toBe(2);
  expect(await minutesOf({ fills: true })).toBe(30);
  expect(await minutesOf({ fills: true, keysMs: 600_000 })).toBe(40);
});
