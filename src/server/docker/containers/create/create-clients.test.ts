import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

type Document = Readonly<Record<string, unknown>>;

async function created(body: Document): Promise<{ Id: string; Warnings: readonly string[] }> {
  const answer = await home.call('POST', '/containers/create', { Image: 'busybox', ...body });
  expect(answer).toMatchObject({ status: 201 });
  return answer.body as { Id: string; Warnings: readonly string[] };
}

async function inspected(body: Document): Promise<Readonly<Record<string, Document>>> {
  const { Id } = await created(body);
  return (await home.call('GET', `/containers/${Id}/json`)).body as Record<string, Document>;
}

async function refused(body: Document): Promise<Document> {
  const before = home.runtime.store.list().length;
  const answer = await home.call('POST', '/containers/create', { Image: 'busybox', ...body });
  expect(answer).toMatchObject({ status: 400 });
  expect(home.runtime.store.list()).toHaveLength(before);
  return answer.body as Document;
}

describe('requests of the Python SDK', () => {
  it('accepts a volume at the path of a bind mount', async () => {
    const { Config, Mounts } = await inspected({
      ...{ Cmd: ['ls', '/mnt'], Volumes: { '/mnt': {} } },
      HostConfig: { Binds: ['/tmp:/mnt:rw'], NetworkMode: 'bridge' },
    });
    expect(Config).toMatchObject({ Volumes: { '/mnt': {} } });
    expect(Mounts).toMatchObject([{ Source: '/tmp', Destination: '/mnt', Mode: 'rw', RW: true }]);
  });

  it('accepts the runtime beside the image, and refuses another one there', async () => {
    const { HostConfig } = await inspected({ Runtime: 'runc', HostConfig: { Runtime: null } });
    expect(HostConfig).toMatchObject({ Runtime: 'runc' });
    expect(await refused({ Runtime: 'runsc' })).toMatchObject({ code: 'unsupported-option' });
  });

  it('accepts a volume at the unnormalized path of a bind mount, with null for its options', async () => {
    await created({ Volumes: { '/mnt/.//x/': null }, HostConfig: { Binds: ['/tmp:/mnt/x'] } });
  });

  it.each(['mnt', '/', ''])('refuses the volume path %j', async (path) => {
    const Volumes = { [path]: {} };
    expect(await refused({ Volumes, HostConfig: { Binds: ['/tmp:/mnt'] } })).toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(`invalid volume specification: '${path}'`),
    });
  });

  it.each([
    ['z', true],
    ['Z', true],
    ['rw,z', true],
    ['ro,Z', false],
    ['consistent', true],
    ['cached', true],
    ['delegated', true],
    ['ro,cached,z', false],
    ['rprivate', true],
    ['', true],
  ])('accepts the bind mode %j, and shows it as it was given', async (mode, RW) => {
    const bind = mode === '' ? '/tmp:/b' : `/tmp:/b:${mode}`;
    const { HostConfig, Mounts } = await inspected({ HostConfig: { Binds: [bind] } });
    expect(HostConfig).toMatchObject({ Binds: [bind] });
    expect(Mounts).toMatchObject([{ Mode: mode, RW }]);
  });

  it.each(['z,Z', 'ro,rw', 'ro,ro', 'cached,delegated', 'q', 'nocopy', ',', 'valueOf'])(
    'refuses the bind mode %j in Docker’s words',
    async (mode) => {
      expect(await refused({ HostConfig: { Binds: [`/tmp:/b:${mode}`] } })).toMatchObject({
        ...{ code: 'invalid-argument', message: `invalid mode: ${mode}` },
      });
    },
  );

  it('accepts less than a hundredth of a CPU', async () => {
    const { Id } = await created({ Cmd: ['sleep', '1'], HostConfig: { NanoCpus: 1 } });
    expect((await home.call('POST', `/containers/${Id}/start`)).status).toBe(204);
    expect(home.agents.get(Id)?.spec?.resources).toMatchObject({ cpuMillis: 1 });
    expect(home.host.vm(Id)?.spec.cpus).toBe(1);
    expect((await home.call('GET', `/containers/${Id}/json`)).body).toMatchObject({
      HostConfig: { NanoCpus: 1 },
    });
  });

  it('shows a health check that is a bare list, never runs it, and warns of it', async () => {
    const { Id, Warnings } = await created({
      ...{ Cmd: ['sleep', '1'], Healthcheck: { Test: ['true'], Interval: 1_000_000_000 } },
    });
    expect(Warnings).toEqual([expect.stringContaining("unknown type 'true'")]);
    expect((await home.call('POST', `/containers/${Id}/start`)).status).toBe(204);
    const { body } = await home.call('GET', `/containers/${Id}/json`);
    expect(body).toMatchObject({ Config: { Healthcheck: { Test: ['true'] } } });
    expect(body).not.toHaveProperty('State.Health');
  });

  it('accepts NONE for a health check without a warning', async () => {
    const body = { Healthcheck: { Test: ['NONE'] } };
    expect((await created(body)).Warnings).toEqual([]);
    expect((await inspected(body))['Config']).toMatchObject(body);
  });
});

describe('create bodies as Go reads them', () => {
  it('accepts field names of create in any case', async () => {
    const { Config, HostConfig } = await inspected({
      ...{ CMD: ['a'], env: ['A=1'], workingdir: '/w', labels: { Name: 'x', name: 'y' } },
      hostConfig: { memory: 2 ** 26, restartpolicy: { name: 'always' }, LOGCONFIG: { type: '' } },
    });
    expect(Config).toMatchObject({
      ...{ Cmd: ['a'], Env: expect.arrayContaining(['A=1']), WorkingDir: '/w' },
      Labels: { Name: 'x', name: 'y' },
    });
    expect(HostConfig).toMatchObject({ Memory: 2 ** 26, RestartPolicy: { Name: 'always' } });
  });

  it('refuses unsupported options of create in any case', async () => {
    expect(await refused({ hostconfig: { CAPABILITIES: ['a'] } })).toMatchObject({
      code: 'unsupported-option',
      message: expect.stringContaining('HostConfig.Capabilities is not supported'),
    });
    expect(await refused({ hostconfig: { pidmode: 'host' } })).toMatchObject({
      code: 'unsupported-option',
    });
  });

  it('treats null inside nested objects of create as absent', async () => {
    const { HostConfig, Config } = await inspected({
      ...{ Labels: { a: null }, ExposedPorts: { '80/tcp': null }, Env: null },
      Healthcheck: { Test: null, Interval: null, Retries: null },
      HostConfig: {
        ...{ LogConfig: { Type: null, Config: null }, PortBindings: { '80/tcp': null } },
        ...{ RestartPolicy: { Name: null, MaximumRetryCount: null }, Ulimits: null },
        BlkioDeviceReadBps: [{ Path: '/dev/root', Rate: null }],
      },
      NetworkingConfig: { EndpointsConfig: { bridge: { IPAMConfig: null, Aliases: null } } },
    });
    expect(HostConfig).toMatchObject({
      ...{ LogConfig: { Type: 'json-file', Config: {} }, BlkioDeviceReadBps: null },
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    });
    expect(Config).toMatchObject({ Labels: { a: '' }, ExposedPorts: { '80/tcp': {} } });
  });
});

describe('an unknown field', () => {
  it('warns of an unknown field whose value requests nothing', async () => {
    const { Warnings } = await created({
      ...{ Unheard: null, Another: 0 },
      HostConfig: { FromTheFuture: [], RestartPolicy: { Name: 'no', Delay: 0 } },
      NetworkingConfig: { EndpointsConfig: { default: { Speed: '' } }, Fabric: {} },
    });
    const names = [
      ...['Unheard', 'Another', 'HostConfig.FromTheFuture', 'HostConfig.RestartPolicy.Delay'],
      ...['NetworkingConfig.Fabric', 'NetworkingConfig.EndpointsConfig.default.Speed'],
    ];
    expect([...Warnings].sort()).toEqual(
      names
        .map((name) => `${name} is not known here; it was ignored, as its value asks for nothing`)
        .sort(),
    );
  });

  it.each([
    ['Unheard', { Unheard: true }, 'unsupported-option'],
    ['FromTheFuture', { HostConfig: { FromTheFuture: { a: 1 } } }, 'unsupported-option'],
    ['Delay', { HostConfig: { RestartPolicy: { Name: 'no', Delay: 1 } } }, 'invalid-argument'],
  ])(
    'refuses the unknown field %s by name when it requests something',
    async (name, body, code) => {
      expect(await refused(body)).toMatchObject({ code, message: expect.stringContaining(name) });
    },
  );
});
