import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import type { Image } from '../../images/image.ts';
import { confidentialBoxes, MINUTE, TIMEOUT, TOKEN } from '../testing/confidential-boxes.ts';
import { TestHome } from '../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../testing/images.ts';
import { allow, allowConfidential } from '../testing/signed-images.ts';

const WITH_VOLUME: Image = {
  ...TEST_IMAGE,
  ...{ id: `sha256:${'4'.repeat(64)}`, manifestDigest: `sha256:${'5'.repeat(64)}` },
  tags: ['volume:latest'],
  config: { ...TEST_IMAGE.config, volumes: ['/data'] },
};

let home: TestHome;
beforeEach(async () => {
  home = new TestHome(new FakeImages(TEST_IMAGE, WITH_VOLUME));
  home.trust.rules = [allowConfidential('**')];
  await home.start();
});
afterEach(() => home.remove());

const { body, guestOf, inspect, listed, record, running } = confidentialBoxes(() => home);

describe('creating a confidential box', () => {
  it('records the launch spec of a confidential box, and shows that it is simulated', async () => {
    const id = await home.create(MINUTE, body({ HostMay: ['logs', 'exec'], Deployment: 'db' }));
    const { definition } = record(id);
    const spec = JSON.parse(definition.confidential?.launchSpec ?? '') as Record<string, unknown>;
    expect(spec).toMatchObject({ hostname: 'box', hostMay: ['exec', 'logs'], deployment: 'db' });
    expect(JSON.stringify(spec)).not.toContain(id.slice(0, 12));
    expect(definition.hostname).toBe('box');
    expect((await inspect(id)).Confidential).toMatchObject({
      Tee: 'simulate',
      Simulated: true,
      Note: expect.stringContaining('SIMULATED'),
      HostData: definition.confidential?.specDigest,
      Measurement: '',
      HostMay: ['exec', 'logs'],
      Deployment: 'db',
      Secrets: [],
      SecretsState: 'none',
    });
    expect(await listed(id)).toMatchObject({
      Confidential: {
        Tee: 'simulate',
        Simulated: true,
        SecretsState: 'none',
        AllowAnyInjector: false,
      },
    });
    const again = record(
      await home.create(MINUTE, body({ HostMay: ['exec', 'logs'], Deployment: 'db' })),
    );
    expect(again.definition.confidential?.specDigest).toBe(definition.confidential?.specDigest);
  });

  it('puts the volumes of the image into the launch spec if the boot set supports them', async () => {
    const specified = async () => {
      const { definition } = record(await home.create(['x'], body({}, { Image: 'volume' })));
      return JSON.parse(definition.confidential?.launchSpec ?? '') as { directories?: string[] };
    };
    const { directories, ...rest } = await specified();
    expect(directories).toEqual(['/data']);
    const { confidential } = home.boot;
    if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
    home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 1 } };
    expect(await specified()).toEqual(rest);
  });

  it('refuses mounts in memory where the boot set is from before them', async () => {
    const answer = (HostConfig: object) =>
      home.call('POST', '/containers/create', {
        ...{ Image: 'busybox', Cmd: ['x'], ...body({}, { HostConfig }) },
      });
    const refusal = { status: 400, body: { code: 'unsupported-option' } };
    expect((await answer({ Tmpfs: { '/run': '' }, ShmSize: 4096 })).status).toBe(201);
    const { confidential } = home.boot;
    if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
    home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 2 } };
    expect(await answer({ Tmpfs: { '/run': '' } })).toMatchObject(refusal);
    expect(await answer({ ShmSize: 4096 })).toMatchObject(refusal);
    expect((await answer({ ReadonlyRootfs: true })).status).toBe(201);
  });

  it('refuses sealing that the boot set, the ID block or the keys do not fit', async () => {
    const answer = (confidential: Record<string, unknown>) =>
      home.call('POST', '/containers/create', {
        ...{ Image: 'busybox', Cmd: ['x'], ...body(confidential) },
      });
    const invalid = { status: 400, body: { code: 'invalid-argument' } };
    expect(await answer({ Sealing: 'upgradable' })).toMatchObject(invalid);
    expect(await answer({ SealerKeys: [TOKEN.InjectorKeys[0]] })).toMatchObject(invalid);
    expect(await answer({ Sealing: 'any' })).toMatchObject(invalid);
    const { body: made } = await answer({ Sealing: 'exact', SealerKeys: TOKEN.InjectorKeys });
    const { Confidential } = await inspect(String((made as { Id: string }).Id));
    expect(Confidential).toMatchObject({ Sealing: 'exact' });
    const { confidential } = home.boot;
    if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
    home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 3 } };
    const unsupported = { status: 400, body: { code: 'unsupported-option' } };
    expect(await answer({ Sealing: 'exact' })).toMatchObject(unsupported);
    expect((await answer({})).status).toBe(201);
  });

  it('prepares the engine when a confidential box is created', async () => {
    await home.create(MINUTE);
    expect(home.host.expected).toEqual([]);
    await home.create(MINUTE, body());
    expect(home.host.expected).toEqual(['simulated']);
  });

  it('puts SIMULATED into the events of a simulated box', async () => {
    await running();
    const all = { since: 1n, until: undefined };
    const events: Record<string, string>[] = [];
    for await (const { action, attributes } of home.runtime.events.follow(all, TIMEOUT())) {
      events.push({ action, ...attributes });
      if (action === 'start') break;
    }
    for (const action of ['create', 'start']) {
      expect(events).toContainEqual(expect.objectContaining({ action, tee: 'SIMULATED' }));
    }
  });

  it('shows no confidential settings for a plain box', async () => {
    const id = await home.create(MINUTE);
    expect((await inspect(id))['Confidential']).toBeNull();
    expect(await listed(id)).toMatchObject({ Confidential: null });
  });

  const host = (HostConfig: object) => ({ HostConfig });
  const PROFILE = 'seccomp={"defaultAction":"SCMP_ACT_NOTIFY"}';
  it.each<[string, Record<string, unknown>, Record<string, unknown>, string]>([
    ['a bind mount', {}, { HostConfig: { Binds: ['/srv:/srv'] } }, 'unsupported-option'],
    [
      'privileges and keys',
      { Sealing: 'exact' },
      { HostConfig: { Privileged: true } },
      'unsupported-option',
    ],
    ['a rule for the guest', {}, host({ DeviceCgroupRules: ['c 10:* rw'] }), 'invalid-argument'],
    ['a setting of the guest', {}, host({ Sysctls: { 'vm.swappiness': '9' } }), 'invalid-argument'],
    ['a profile that asks', {}, host({ SecurityOpt: [PROFILE] }), 'invalid-argument'],
    ['a capability over the guest', {}, host({ CapAdd: ['SYS_ADMIN'] }), 'invalid-argument'],
    ['a processor that there is not', { Tee: 'tdx' }, {}, 'invalid-argument'],
    ['an unknown key', { Debug: true }, {}, 'invalid-argument'],
    ['an unknown permission', { HostMay: ['debug'] }, {}, 'invalid-argument'],
    ['half an ID block', { IdBlock: 'AAAA' }, {}, 'invalid-argument'],
    ['an ID block that is none', { IdBlock: 'AAAA', IdAuth: 'AAAA' }, {}, 'invalid-argument'],
    ['a secret without a name', { Secrets: [{ ...TOKEN, Name: '../x' }] }, {}, 'invalid-argument'],
    ['a secret that nobody injects', { Secrets: [{ Name: 'a' }] }, {}, 'invalid-argument'],
    ['a key that is none', { Secrets: [{ Name: 'a', InjectorKeys: ['x'] }] }, {}, 'key-invalid'],
    [
      'a variable that is set',
      { Secrets: [{ ...TOKEN, Env: 'TOKEN' }] },
      { Env: ['TOKEN=1'] },
      'invalid-argument',
    ],
    ['a deadline of nothing', { SecretsDeadline: 0 }, {}, 'invalid-argument'],
  ])('refuses to create a confidential box with %s', async (_, confidential, more, code) => {
    const asked = { Image: 'busybox', Cmd: MINUTE, ...body(confidential, more) };
    const answer = await home.call('POST', '/containers/create', asked);
    expect(answer).toMatchObject({ status: 400, body: { code } });
    expect(home.runtime.store.list()).toEqual([]);
  });

  it('refuses an unsigned image where the policy does not name confidential boxes', async () => {
    home.trust.rules = [allow('**')];
    const asked = { Image: 'busybox', Cmd: MINUTE, ...body() };
    expect(await home.call('POST', '/containers/create', asked)).toMatchObject({
      status: 403,
      body: { code: 'image-untrusted', remedy: expect.stringContaining('--confidential') },
    });
    await home.create(MINUTE);
  });

  it('refuses a confidential box when the boot set has no firmware for it', async () => {
    const { confidential: _, ...old } = home.boot;
    home.boot = old;
    const asked = { Image: 'busybox', Cmd: MINUTE, ...body() };
    expect(await home.call('POST', '/containers/create', asked)).toMatchObject({
      status: 500,
      body: { code: 'boot-set-missing' },
    });
  });

  it('publishes the RA-TLS port by its name and shows its number to clients of Docker', async () => {
    const ports = {
      HostConfig: { PortBindings: { 'ratls/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } },
    };
    const refused = { Image: 'busybox', Cmd: MINUTE, ...ports };
    expect(await home.call('POST', '/containers/create', refused)).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining('ratls') },
    });
    const id = await home.create(MINUTE, body({}, ports));
    await home.call('POST', `/containers/${id}/start`);
    expect(home.host.vm(id)?.spec.nic?.ports).toMatchObject([{ boxPort: 4433 }]);
    const shown = await inspect(id);
    expect(shown['NetworkSettings']).toMatchObject({
      Ports: { '4433/tcp': [{ HostIp: '127.0.0.1' }] },
    });
    expect(shown['HostConfig']).toMatchObject({ PortBindings: { '4433/tcp': [{}] } });
    expect(shown['Config']).toMatchObject({ ExposedPorts: { '4433/tcp': {} } });
    expect(await listed(id)).toMatchObject({ Ports: [{ PrivatePort: 4433, Name: 'ratls' }] });
  });
});

describe('starting a confidential box', () => {
  it('launches the measured boot set with disks to verify, and hands over the exact launch spec', async () => {
    const id = await running({ Changes: 'encrypted-disk' });
    const { definition, state } = record(id);
    const spec = home.host.vm(id)?.spec;
    expect(spec).toMatchObject({
      boot: { kernelPath: '/boot/bzImage', commandLine: ['a3s.tee=simulated'] },
      shares: [],
      disks: [
        { serial: 'layer-0', readonly: true },
        { serial: 'changes', readonly: false },
      ],
      confidential: { tee: 'simulated', policy: 0x30000n, vcpuType: 'EPYC-Milan-v2' },
    });
    expect(spec?.template).toBeUndefined();
    const digest = definition.confidential?.specDigest ?? '';
    expect(Buffer.from(spec?.confidential?.hostData ?? []).toString('hex')).toBe(digest);
    expect(guestOf(id).specDigest).toBe(digest);
    expect(state.launch).toMatchObject({
      hostData: digest,
      policy: '0x30000',
      bootSet: 'set',
      instance: guestOf(id).instance,
      record: { schema: 'a3s-box/launch-record/v1', append: 'a3s.tee=simulated' },
      measurement: expect.stringMatching(/^[0-9a-f]{96}$/),
    });
    expect((await inspect(id)).Confidential).toMatchObject({
      Instance: guestOf(id).instance,
      Measurement: state.launch?.measurement,
    });
    const log = readFileSync(join(home.config.home, 'server.log'), 'utf8');
    expect(log).toContain('SIMULATED');
  });

  it('gives each start of a confidential box a new instance and an empty encrypted disk', async () => {
    const id = await running({ Changes: 'encrypted-disk' });
    const disk = home.host.vm(id)?.spec.disks.at(-1)?.path ?? '';
    const { size, blocks, mode } = statSync(disk);
    expect({ blocks, mode: mode & 0o777 }).toEqual({ blocks: 0, mode: 0o600 });
    expect(size).toBeGreaterThan(2 ** 30);
    writeFileSync(disk, 'of the first run', { flag: 'r+' });
    const first = record(id).state.launch?.instance;
    await home.call('POST', `/containers/${id}/stop`);
    await home.call('POST', `/containers/${id}/start`);
    expect(record(id).state.launch?.instance).not.toBe(first);
    expect(statSync(disk)).toMatchObject({ size, blocks: 0 });
  });

  it('passes the certificates in the home to a guest on hardware, up to a maximum size', async () => {
    const file = join(home.config.home, 'snp-certificates');
    const table = Buffer.alloc(64 * 1024, 'a');
    writeFileSync(file, table);
    const id = await running({ Tee: 'snp' });
    expect(guestOf(id).certificates).toEqual(table);
    expect(guestOf(await running()).certificates).toBeUndefined();
    writeFileSync(file, Buffer.alloc(64 * 1024 + 1));
    await home.call('POST', `/containers/${id}/stop`);
    expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({
      status: 413,
      body: { code: 'too-large' },
    });
  });

  it.each<[string, () => void, string]>([
    [
      'a guest that finds another digest in its report',
      () => {
        home.guestOptions = { hostData: Buffer.alloc(32) };
      },
      'launch-spec-mismatch',
    ],
    [
      'a guest that finds a layer changed',
      () => {
        home.guestOptions = { refuse: new FakeRefusal('verity-mismatch', 'layer-0 was changed') };
      },
      'verity-mismatch',
    ],
    [
      'a guest that says it took another spec',
      () => {
        home.guestOptions = { claims: 'f'.repeat(64) };
      },
      'launch-spec-mismatch',
    ],
    [
      'a guest of another kind',
      () => {
        home.guestOptions = { tee: 'snp' };
      },
      'launch-spec-mismatch',
    ],
    [
      'a plain guest',
      () => {
        home.agentOptions = { confidential: undefined };
      },
      'launch-spec-mismatch',
    ],
  ])('refuses to start with %s, and leaves no microVM running', async (_, tamper, code) => {
    const id = await home.create(MINUTE, body());
    tamper();
    const answer = await home.call('POST', `/containers/${id}/start`);
    expect(answer).toMatchObject({ status: 500, body: { code } });
    expect((await inspect(id)).State).toMatchObject({
      ...{ Status: 'created', ExitCode: 125 },
      Error: (answer.body as { message: string }).message,
    });
    expect(home.host.running).toEqual([]);
  });

  it('refuses to start when layers no longer match the launch spec', async () => {
    const id = await home.create(MINUTE, body());
    const [layer] = await home.images.bootLayers(await home.images.resolve('busybox'));
    home.images.verityLayers = async () =>
      layer === undefined ? [] : [{ ...layer, bytes: 4096, root: '5'.repeat(64) }];
    expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({
      status: 500,
      body: { code: 'verity-mismatch' },
    });
    expect(home.host.launches).toEqual([]);
  });

  it('applies the image policy for confidential boxes again at each start', async () => {
    const id = await home.create(MINUTE, body());
    home.trust.rules = [allow('**')];
    expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({
      status: 403,
      body: { code: 'image-untrusted' },
    });
  });
});

describe('a record from before there were confidential boxes', () => {
  it('reads a record without confidential settings as that of a plain box', async () => {
    const id = await home.create(MINUTE);
    await home.call('POST', `/containers/${id}/start`);
    await home.stop();
    await home.start();
    expect(record(id).definition.confidential).toBeUndefined();
    expect(record(id).state.launch).toBeUndefined();
    expect(record(id).state.status).toBe('running');
  });
});
