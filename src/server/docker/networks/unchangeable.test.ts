import { afterEach, beforeEach, expect, it } from 'vitest';
import { confidentialBoxes, MINUTE } from '../../testing/confidential-boxes.ts';
import { TestHome } from '../../testing/home.ts';
import { allowConfidential } from '../../testing/signed-images.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  home.trust.rules = [allowConfidential('**')];
  await home.start();
  await home.call('POST', '/networks/create', { Name: 'db' });
});
afterEach(() => home.remove());

const { body, running } = confidentialBoxes(() => home);
const refused = {
  status: 403,
  body: { code: 'host-not-permitted', rule: 'hostNetworks' },
};
const call = (path: string, Container: string) =>
  home.call('POST', `/networks/${path}`, { Container });

it('keeps a confidential box in its networks where its launch spec lets its host choose none', async () => {
  const [runs, waits] = [await running(), await home.create(MINUTE, body())];
  for (const id of [runs, waits]) {
    for (const path of ['bridge/disconnect', 'bridge/connect', 'db/connect']) {
      expect(await call(path, id)).toMatchObject(refused);
    }
    expect(home.runtime.store.expect(id).definition).toMatchObject({
      ...{ network: 'default', endpoints: [] },
    });
  }
  const HostConfig = { NetworkMode: 'none' };
  const without = await home.create(MINUTE, body({}, { HostConfig }));
  expect(await call('none/disconnect', without)).toMatchObject(refused);
  expect(home.runtime.store.expect(without).definition.network).toBe('none');
});
