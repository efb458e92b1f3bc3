import { afterEach, beforeEach, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { onlyKey, StoreHome, warm } from '../testing/store-home.ts';

let home: StoreHome;
beforeEach(() => {
  home = new StoreHome();
  const make = home.engine.makeTemplate.bind(home.engine);
  home.engine.makeTemplate = async (request, signal) => {
    home.agentOptions = { clockRate: rates.shift() ?? 1 };
    await make(request, signal);
  };
});
afterEach(() => home.remove());

/** The rates of the clocks of the next guests; the clocks of those after them are right. */
let rates: number[];

it('makes a template again whose guest has a clock that is too fast', async () => {
  rates = [18, 0.2];
  const logged: string[] = [];
  const log = {
    info: () => undefined,
    error: (message: string, error: unknown) => {
      logged.push(`${message}: ${error instanceof A3sError ? error.code : String(error)}`);
    },
  };
  const store = await home.openStore({ log });
  expect(await warm(store)).toEqual(['1 waiting', '1 making', '1 ready']);
  expect(home.host.templates).toHaveLength(3);
  expect(new Set(home.host.templates.map(({ id }) => id)).size).toBe(3);
  expect(home.host.sweeps).toEqual(home.host.templates.map(({ id }) => id));
  expect(home.left()).toEqual([onlyKey(store)]);
  expect(home.actions()).toEqual(['create']);
  const again = 'a template is made again: template-unusable';
  expect(logged).toEqual([again, again]);
});

it('keeps no template where the clock is wrong each time, and waits before the next', async () => {
  rates = [18, 18, 18];
  const store = await home.openStore();
  await expect(warm(store)).rejects.toMatchObject({
    code: 'template-unusable',
    message: expect.stringMatching(/the guest's clock runs at least 1\d\.\d\d times/),
  });
  expect(home.host.templates).toHaveLength(3);
  expect(home.left()).toEqual([]);
  expect(home.events).toMatchObject([
    { action: 'fail', attributes: { cpus: '1', reason: expect.stringContaining('clock') } },
  ]);
  // A box that starts now boots, and no template is made in the background.
  expect(await store.take(home.shape())).toBeUndefined();
  expect(home.host.templates).toHaveLength(3);
  // An explicit request is not delayed.
  expect(await warm(store)).toEqual(['1 waiting', '1 making', '1 ready']);
});
