import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Guest } from '../../guest/guest.ts';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import { confidentialBoxes, MINUTE } from '../testing/confidential-boxes.ts';
import { TestHome } from '../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../testing/images.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const ID = '0123456789abcdef0123456789abcdef';
const OTHER = 'f123456789abcdef0123456789abcdef';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome(new FakeImages(TEST_IMAGE));
  home.trust.rules = [allowConfidential('**')];
  await home.start();
});
afterEach(() => home.remove());

const { body, changed, guestOf, inspect, record } = confidentialBoxes(() => home);

const create = (mode: string, confidential: Record<string, unknown> = {}) =>
  home.create(MINUTE, body(confidential, { HostConfig: { Binds: [`data:/data:${mode}`] } }));
const asked = (document: object) => home.call('POST', '/containers/create', document);
const start = (id: string) => home.call('POST', `/containers/${id}/start`);
const specOf = (id: string) =>
  JSON.parse(record(id).definition.confidential?.launchSpec ?? '') as { volumes?: unknown };
const told = (id: string, created: boolean) => {
  home.guestOptions = { volumes: [{ name: 'data', id, created }] };
};
async function refusals(id: string): Promise<readonly unknown[]> {
  const until = Math.floor(Date.now() / 1000) + 1;
  const filters = encodeURIComponent(JSON.stringify({ container: [id] }));
  const { body: text } = await home.call(
    'GET',
    `/events?since=0&until=${until}&filters=${filters}`,
  );
  const lines = (typeof text === 'string' ? text : JSON.stringify(text)).trim().split('\n');
  return lines.map((line) => JSON.parse(line)).filter(isRefusal);
}
const isRefusal = ({ Action }: { readonly Action: string }) => Action === 'spec-refused';
/** A guest would have written it. */
const writeHeader = () => {
  const path = home.runtime.volumes.mountpoint('data');
  writeFileSync(path, Buffer.concat([Buffer.from('A3S-VOLM'), Buffer.alloc(4088)]));
  return path;
};

describe('a box with a sealed volume', () => {
  it('puts a sealed volume into the launch spec, and its disk into the microVM', async () => {
    told(ID, true);
    const id = await create('sealed,init');
    expect(specOf(id).volumes).toEqual([
      { name: 'data', destination: '/data', policy: 'exact', init: true },
    ]);
    expect(await start(id)).toMatchObject({ status: 204 });
    const path = home.runtime.volumes.mountpoint('data');
    expect(home.host.launches.at(-1)?.disks.at(-1)).toMatchObject({
      ...{ path, serial: 'volume-0', readonly: false },
    });
    const { Confidential, HostConfig } = await inspect(id);
    expect(Confidential).toMatchObject({ Volumes: [{ Name: 'data', Id: ID, Created: true }] });
    expect(HostConfig).toMatchObject({ Binds: ['data:/data:sealed,init'] });
    expect(await home.call('GET', '/volumes/data')).toMatchObject({
      body: { Options: { type: 'sealed' }, Status: { Sealed: true, Id: ID, Box: id } },
    });
  });

  const BROKER = { Broker: { Host: '127.0.0.1', Port: 1, Key: 'a'.repeat(64) } };

  it('waits until its broker has counted its volume, and then runs', async () => {
    told(ID, true);
    const id = await create('sealed,init,counter=default/db/data', BROKER);
    expect(specOf(id)).toMatchObject({
      broker: { host: '127.0.0.1', port: 1, tenant: 'default', key: 'a'.repeat(64) },
      volumes: [{ name: 'data', init: true, counter: 'default/db/data' }],
    });
    expect(await start(id)).toMatchObject({ status: 204 });
    expect(record(id).state.launch?.secrets.state).toBe('waiting');
    guestOf(id).count();
    await changed(id, ({ state }) => state.launch?.secrets.state === 'ready');
    expect(record(id).state.status).toBe('running');
  });

  it('ends where the disk is an older one, and its event names the rule', async () => {
    told(ID, false);
    const id = await create('sealed,init,counter=default/db/data', BROKER);
    await start(id);
    const message = 'a sealed volume was refused: the disk is older';
    guestOf(id).refuse('volume-rolled-back', message);
    await changed(id, ({ state }) => state.status === 'exited');
    expect((await inspect(id))['State']).toMatchObject({ ExitCode: 125, Error: message });
    expect(await refusals(id)).toMatchObject([
      {
        Actor: {
          Attributes: { error: 'volume-rolled-back', rule: 'volumes', reason: message },
        },
      },
    ]);
  });

  it('carries the connections to its broker while the guest takes a spec with a key', async () => {
    told(ID, true);
    const id = await create('sealed,init,key=broker/default/db/key', BROKER);
    expect(specOf(id)).toMatchObject({
      broker: { host: '127.0.0.1', port: 1, tenant: 'default', key: 'a'.repeat(64) },
      volumes: [{ name: 'data', policy: 'broker', init: true, key: 'default/db/key' }],
    });
    expect(await start(id)).toMatchObject({ status: 204 });
    expect(record(id).state.status).toBe('running');
    const { HostConfig } = await inspect(id);
    expect(HostConfig).toMatchObject({
      Binds: ['data:/data:sealed,init,key=broker/default/db/key'],
    });
  });

  it.each([
    ['volume-key-refused', 403],
    ['volume-key-mismatch', 403],
    ['volume-key-not-fetched', 500],
    ['volume-rolled-back', 500],
  ] as const)(
    'fails the start with the code %s of its guest, and formats nothing',
    async (code, status) => {
      const reason = 'sealed volume data: the broker answers kbs-denied';
      home.guestOptions = { refuse: new FakeRefusal(code, reason, 'volumes') };
      const id = await create('sealed,init,key=broker/default/db/key', BROKER);
      expect(await start(id)).toMatchObject({ status, body: { code } });
      expect(await refusals(id)).toMatchObject([
        { Actor: { Attributes: { error: code, rule: 'volumes' } } },
      ]);
    },
  );

  it('waits for a key as long as for secrets, beyond the time in which a guest makes volumes', async () => {
    told(ID, true);
    const asked = vi.spyOn(Guest.prototype, 'putLaunchSpec');
    try {
      const confidential = { ...BROKER, SecretsDeadline: 900 };
      await start(await create('sealed,init,key=broker/default/db/key', confidential));
      expect(asked.mock.lastCall?.[1]).toMatchObject({ fills: true, keysMs: 900_000 });
    } finally {
      asked.mockRestore();
    }
  });

  it('refuses a key where the agent of the boot set knows none, or there is no broker', async () => {
    const { confidential } = home.boot;
    if (confidential === undefined) throw new Error('no confidential boot files');
    const HostConfig = { Binds: ['data:/data:sealed,init,key=broker/default/db/key'] };
    const missing = { Image: 'busybox', ...body({}, { HostConfig }) };
    expect(await asked(missing)).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
    home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 7 } };
    const old = { Image: 'busybox', ...body(BROKER, { HostConfig }) };
    expect(await asked(old)).toMatchObject({ status: 400, body: { code: 'unsupported-option' } });
  });

  it('refuses a counter where the agent of the boot set knows none, or there is no broker', async () => {
    const { confidential } = home.boot;
    if (confidential === undefined) throw new Error('no confidential boot files');
    const mode = 'sealed,init,counter=default/db/data';
    const HostConfig = { Binds: [`data:/data:${mode}`] };
    const missing = { Image: 'busybox', ...body({}, { HostConfig }) };
    expect(await asked(missing)).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
    home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 5 } };
    const old = { Image: 'busybox', ...body(BROKER, { HostConfig }) };
    expect(await asked(old)).toMatchObject({ status: 400, body: { code: 'unsupported-option' } });
  });

  it('expects the id of a sealed volume that an earlier guest told', async () => {
    told(ID, true);
    const first = await create('sealed,init');
    await start(first);
    await home.call('DELETE', `/containers/${first}?force=1`);
    expect(specOf(await create('sealed')).volumes).toEqual([
      { name: 'data', destination: '/data', policy: 'exact', init: false, id: ID },
    ]);
    expect(specOf(await create(`sealed,id=${OTHER}`)).volumes).toMatchObject([{ id: OTHER }]);
  });

  it('refuses to start a box on a disk that lost its header since, although it may make volumes', async () => {
    told(ID, true);
    const id = await create('sealed,init');
    await start(id);
    await home.call('POST', `/containers/${id}/stop`);
    expect(await start(id)).toMatchObject({ status: 409, body: { code: 'volume-empty' } });
    const launches = home.host.launches.length;
    const path = writeHeader();
    const before = readFileSync(path);
    told(ID, false);
    expect(await start(id)).toMatchObject({ status: 204 });
    expect(home.host.launches.length).toBe(launches + 1);
    expect(readFileSync(path)).toEqual(before);
  });

  it.each([true, false])(
    'refuses another volume than the one that boxes have used: made by this guest %s',
    async (created) => {
      told(ID, true);
      const id = await create('sealed,init');
      await start(id);
      await home.call('POST', `/containers/${id}/stop`);
      writeHeader();
      told(OTHER, created);
      expect(await start(id)).toMatchObject({
        ...{
          status: 403,
          body: { code: 'volume-refused', message: expect.stringContaining(OTHER) },
        },
      });
      expect((await inspect(id)).State).toMatchObject({ Running: false });
      expect(specOf(await create('sealed')).volumes).toMatchObject([{ id: ID }]);
      told(ID, false);
      expect(await start(id)).toMatchObject({ status: 204 });
    },
  );

  it.each(['volume-empty', 'volume-refused', 'volume-damaged'] as const)(
    'tells why a guest did not open its volume, and which rule decided: %s',
    async (code) => {
      const refuse = new FakeRefusal(code, 'sealed volume data: because', 'volumes');
      home.guestOptions = { refuse };
      const id = await create('sealed,init');
      expect(await start(id)).toMatchObject({
        body: { code, message: expect.stringContaining('because'), rule: 'volumes' },
      });
      expect(await refusals(id)).toMatchObject([
        { Actor: { Attributes: { error: code, rule: 'volumes', tee: 'SIMULATED' } } },
      ]);
      expect((await inspect(id)).State).toMatchObject({
        ...{ ExitCode: 125, Error: expect.stringContaining('because') },
      });
      expect(home.runtime.volumes.sealedId('data')).toBeUndefined();
    },
  );

  it('takes for a rule nothing that names no field', async () => {
    const refuse = new FakeRefusal('volume-damaged', 'because', 'volumes\nforged');
    home.guestOptions = { refuse };
    const id = await create('sealed,init');
    expect((await start(id)).body).not.toHaveProperty('rule');
    expect(await refusals(id)).toEqual([]);
  });

  it('believes a guest nothing of volumes that it does not mount', async () => {
    await home.call('POST', '/volumes/create', {
      ...{ Name: 'foreign', DriverOpts: { type: 'sealed', size: '32m' } },
    });
    home.guestOptions = { volumes: [{ name: 'foreign', id: ID, created: true }] };
    const id = await create('sealed,init');
    expect(await start(id)).toMatchObject({ status: 204 });
    expect(home.runtime.volumes.sealedId('foreign')).toBeUndefined();
    expect((await inspect(id)).Confidential).not.toHaveProperty('Volumes');
  });
});

describe('a sealed volume that no box can have', () => {
  const sealed = { HostConfig: { Binds: ['data:/data:sealed,init'] } };
  it.each([
    ['a plain box', { ...sealed }, 'plain box'],
    [
      'one that nobody has made',
      body({}, { HostConfig: { Binds: ['data:/data:sealed'] } }),
      'no box has made',
    ],
    [
      'an upgradable one without an ID block',
      body({}, { HostConfig: { Binds: ['data:/data:sealed,init,upgradable'] } }),
      'no ID block',
    ],
    [
      'a read-only one',
      body({}, { HostConfig: { Binds: ['data:/data:ro,sealed,init'] } }),
      'mounted whole',
    ],
    [
      'a tmpfs at its place',
      body({}, { HostConfig: { Binds: ['data:/data:sealed,init'], Tmpfs: { '/data': '' } } }),
      '/data',
    ],
  ])('refuses a sealed volume before anything is made: %s', async (_, document, words) => {
    const answer = await asked({ Image: 'busybox', Cmd: MINUTE, ...document });
    expect(answer.status).toBe(400);
    expect((answer.body as { message: string }).message).toContain(words);
    expect(home.runtime.volumes.list()).toEqual([]);
    expect(home.runtime.store.list()).toEqual([]);
  });

  it('refuses a volume of another kind as a sealed one, and the other way round', async () => {
    await home.call('POST', '/volumes/create', { Name: 'data' });
    const confidential = { Image: 'busybox', Cmd: MINUTE, ...body({}, sealed) };
    expect(await asked(confidential)).toMatchObject({ body: { code: 'invalid-argument' } });
    await home.call('DELETE', '/volumes/data');
    await home.call('POST', '/volumes/create', { Name: 'data', DriverOpts: { type: 'sealed' } });
    const plain = { Image: 'busybox', Cmd: MINUTE, HostConfig: { Binds: ['data:/data'] } };
    expect(await asked(plain)).toMatchObject({ body: { code: 'invalid-argument' } });
  });

  it('refuses a sealed volume that the boot set does not know', async () => {
    const { confidential } = home.boot;
    if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
    home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 4 } };
    const document = { Image: 'busybox', Cmd: MINUTE, ...body({}, sealed) };
    expect(await asked(document)).toMatchObject({ body: { code: 'unsupported-option' } });
    expect(home.runtime.volumes.list()).toEqual([]);
  });
});
