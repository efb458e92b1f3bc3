import { afterEach, beforeEach, expect, it } from 'vitest';
import { confidentialBoxes, MINUTE } from '../testing/confidential-boxes.ts';
import { TestHome } from '../testing/home.ts';
import { allowConfidential } from '../testing/signed-images.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  home.trust.rules = [allowConfidential('**')];
  await home.start();
});
afterEach(() => home.remove());

const { body, record } = confidentialBoxes(() => home);
const Egress = { Rules: ['allow:API.example.org:tcp:443', 'allow:*.example.net'] };
const create = (more: object) =>
  home.call('POST', '/containers/create', { Image: 'busybox', Cmd: MINUTE, ...body(), ...more });

it('writes the network policy of a confidential box into its launch spec', async () => {
  const id = await home.create(MINUTE, body({}, { Egress }));
  const { confidential } = record(id).definition;
  const { egress, ...rest } = JSON.parse(confidential?.launchSpec ?? '');
  expect(egress).toEqual({
    default: 'deny',
    rules: ['allow:api.example.org:tcp:443', 'allow:*.example.net:tcp'],
  });
  const without = record(await home.create(MINUTE, body())).definition.confidential;
  expect(JSON.parse(without?.launchSpec ?? '')).toEqual(rest);
});

it('starts a limited confidential box behind the rules of its host', async () => {
  const id = await home.create(
    MINUTE,
    body({}, { Egress, HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1' }] } } }),
  );
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
  expect(home.hostNetworks.attached.get(id)).toMatchObject({
    ...{ address: '10.0.2.15', resolver: '10.0.2.3' },
    ports: [{ hostIp: '127.0.0.1', boxPort: 80 }],
    egress: { policies: [{ of: 'box', default: 'deny' }] },
  });
  expect(home.host.launches.at(-1)?.nic).toMatchObject({ ports: [], tap: expect.any(Number) });
  await home.call('POST', `/containers/${id}/kill`);
  await expect.poll(() => home.hostNetworks.attached.has(id)).toBe(false);
});

it('refuses a network policy where launch specs of the boot set have no word for it', async () => {
  const { confidential } = home.boot;
  if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
  home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 6 } };
  expect(await create({ Egress })).toMatchObject({
    status: 400,
    body: { code: 'unsupported-option', message: expect.stringContaining('network policies') },
  });
  expect((await create({})).status).toBe(201);
});

it('refuses a network policy of a confidential box without a network', async () => {
  expect(await create({ Egress, HostConfig: { NetworkMode: 'none' } })).toMatchObject({
    status: 400,
    body: { code: 'invalid-argument' },
  });
});
