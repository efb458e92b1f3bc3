import { totalmem } from 'node:os';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Image } from '../../../../images/image.ts';
import { TestHome } from '../../../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../../../testing/images.ts';

const SERVER_IMAGE: Image = {
  ...TEST_IMAGE,
  id: `sha256:${'4'.repeat(64)}`,
  manifestDigest: `sha256:${'6'.repeat(64)}`,
  tags: ['server:latest'],
  config: {
    ...TEST_IMAGE.config,
    entrypoint: ['/entry', '--flag'],
    cmd: ['serve'],
    workingDir: 'srv',
    user: 'www',
    stopSignal: 'SIGQUIT',
    exposedPorts: ['80/tcp'],
    volumes: ['/data'],
  },
};

const ODD_CONFIGS = {
  empty: { env: ['=x'] },
  nul: { env: ['A=b\0c'] },
  command: { cmd: ['a\0b'] },
  place: { workingDir: 'a\0b' },
  user: { user: 'u'.repeat(300) },
};
const ODD_IMAGES = Object.entries(ODD_CONFIGS).map(
  ([name, config], index): Image => ({
    ...TEST_IMAGE,
    id: `sha256:${String(index).padStart(64, '5')}`,
    manifestDigest: `sha256:${String(index).padStart(64, '7')}`,
    tags: [`${name}:latest`],
    config: { ...TEST_IMAGE.config, ...config },
  }),
);

const home = new TestHome(new FakeImages(TEST_IMAGE, SERVER_IMAGE, ...ODD_IMAGES));
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

async function inspect(id: string): Promise<Record<string, Record<string, unknown>>> {
  const { body } = await home.call('GET', `/containers/${id}/json`);
  return body as Record<string, Record<string, unknown>>;
}

async function refused(body: unknown): Promise<{ status: number; code: string; message: string }> {
  const before = (await home.call('GET', '/containers/json?all=1')).body as unknown[];
  const answer = await home.call('POST', '/containers/create', body);
  const after = (await home.call('GET', '/containers/json?all=1')).body as unknown[];
  expect(after).toHaveLength(before.length);
  return { status: answer.status, ...(answer.body as { code: string; message: string }) };
}

describe('boxes that could not start', () => {
  it.each(Object.keys(ODD_CONFIGS))(
    'refuses to create a box from an image with a broken configuration: %s',
    async (name) => {
      expect(await refused({ Image: name })).toMatchObject({ status: 400, code: 'invalid-image' });
    },
  );

  it.each(['fe80::1%eth0', '::ffff:127.0.0.1'])('refuses to publish at %s', async (HostIp) => {
    const HostConfig = { PortBindings: { '80/tcp': [{ HostIp, HostPort: '8080' }] } };
    expect(await refused({ Image: 'busybox', HostConfig })).toMatchObject({
      code: 'unsupported-option',
    });
  });

  it('accepts many large variables, and refuses more than the agent takes', async () => {
    const variables = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => `V${index}=${'x'.repeat(100_000)}`);
    await home.create(['true'], { Env: variables(12) });
    expect(await refused({ Image: 'busybox', Env: variables(41) })).toMatchObject({
      status: 413,
      code: 'too-large',
    });
    const wide = [`V=${'é'.repeat(100_000)}`];
    expect(await refused({ Image: 'busybox', Env: wide })).toMatchObject({ code: 'too-large' });
  });
});

it('shows the volumes that the image declares', async () => {
  const { Config } = await inspect(await home.create(['x'], { Image: 'server' }));
  expect(Config?.['Volumes']).toEqual({ '/data': {} });
});

it('makes directories of the volumes of an old record, unless a bind mount covers them or the agent is too old', async () => {
  const old: object = { volumeMounts: [] };
  const directories = async (HostConfig: object, agent = {}) => {
    home.agentOptions = agent;
    const id = await home.create(['sleep', 'infinity'], { Image: 'server', User: '0', HostConfig });
    home.runtime.store.redefine(id, old);
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
    home.agentOptions = {};
    return home.agents.get(id)?.spec?.directories;
  };
  const programs = { entry: async () => 0 };
  expect(await directories({}, { programs })).toEqual(['/data']);
  expect(await directories({ Binds: ['/tmp:/data'] }, { programs })).toBeUndefined();
  const protocol = { minimum: 1, maximum: 4 };
  expect(await directories({}, { programs, protocol })).toBeUndefined();
});

describe('merging the image and the request', () => {
  it.each([
    [{}, ['/entry', '--flag'], ['serve']],
    [{ Cmd: ['other'] }, ['/entry', '--flag'], ['other']],
    [{ Entrypoint: ['/mine'] }, ['/mine'], null],
    [{ Entrypoint: ['/mine'], Cmd: ['x'] }, ['/mine'], ['x']],
    [{ Entrypoint: [''], Cmd: ['x'] }, null, ['x']],
    [{ Entrypoint: '/mine', Cmd: [] }, ['/mine'], null],
    [{ Entrypoint: null, Cmd: null, Tty: true, OpenStdin: true }, ['/entry', '--flag'], ['serve']],
  ])(
    'merges entrypoint and command of the image with %j as Docker does',
    async (given, entrypoint, cmd) => {
      const { body } = await home.call('POST', '/containers/create', { Image: 'server', ...given });
      const { Config } = await inspect((body as { Id: string }).Id);
      expect(Config).toMatchObject({ Entrypoint: entrypoint, Cmd: cmd ?? [] });
    },
  );

  it('takes settings from the image that the request leaves out', async () => {
    const id = await home.create(['x'], { Image: 'server' });
    const { Config, HostConfig } = await inspect(id);
    expect(Config).toMatchObject({
      ...{ Hostname: id.slice(0, 12), User: 'www', WorkingDir: '/srv', StopSignal: 'SIGQUIT' },
      Env: ['PATH=/bin', 'FROM_IMAGE=yes'],
      Labels: { origin: 'image' },
      ExposedPorts: { '80/tcp': {} },
    });
    expect(HostConfig).toMatchObject({ Memory: 0, NanoCpus: 0, NetworkMode: 'bridge' });
  });

  it('prefers the settings of the request to those of the image', async () => {
    const id = await home.create(['x'], {
      ...{ Image: 'server', Hostname: 'h', User: '1:2', WorkingDir: '/w', StopSignal: '2' },
      Env: ['FROM_IMAGE=no', 'MINE=1'],
      Labels: { origin: 'me', more: '1' },
      HostConfig: {
        ...{ Memory: 64 * 2 ** 20, NanoCpus: 1.5e9, NetworkMode: 'none' },
        Binds: ['/tmp:/data:ro'],
      },
    });
    const { Config, HostConfig, Mounts } = await inspect(id);
    expect(Config).toMatchObject({
      ...{ Hostname: 'h', User: '1:2', WorkingDir: '/w', StopSignal: '2' },
      Env: ['FROM_IMAGE=no', 'MINE=1', 'PATH=/bin'],
      Labels: { origin: 'me', more: '1' },
    });
    expect(HostConfig).toMatchObject({ Memory: 64 * 2 ** 20, NetworkMode: 'none' });
    expect(Mounts).toMatchObject([{ Source: '/tmp', Destination: '/data', RW: false }]);
  });
});

describe('the specs of the microVM and the agent', () => {
  it('derives the specs of the microVM and the agent from the record', async () => {
    const id = await home.create(['env'], {
      Env: ['MINE=1', 'PATH'],
      Tty: true,
      HostConfig: {
        ...{ Memory: 64 * 2 ** 20, NanoCpus: 1.5e9, ConsoleSize: [24, 80] },
        PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
      },
    });
    await home.call('POST', `/containers/${id}/start`);
    const vm = home.host.vm(id)?.spec;
    expect(vm).toMatchObject({ cpus: 2, memoryBytes: (64 + 96) * 2 ** 20 });
    expect(vm?.nic?.ports).toMatchObject([{ hostIp: '127.0.0.1', boxPort: 80 }]);
    expect(vm?.nic?.ports[0]?.hostPort).toBeGreaterThan(0);
    const spec = home.agents.get(id)?.spec;
    expect(spec?.process.env).toEqual([
      `HOSTNAME=${id.slice(0, 12)}`,
      ...['TERM=xterm', 'MINE=1', 'FROM_IMAGE=yes'],
    ]);
    expect(spec).toMatchObject({
      process: { size: { rows: 24, columns: 80 }, cwd: '/' },
      resources: { memoryBytes: 64 * 2 ** 20, cpuMillis: 1500 },
      network: { kind: 'nic', mac: vm?.nic?.mac },
      confinement: { seccomp: 'default' },
    });
    expect(spec?.confinement.capabilities).toHaveLength(14);
  });
});

describe('refusals of create', () => {
  it.each([
    [{ CapAdd: ['foo'] }, 'invalid CapAdd: unknown capability: "CAP_FOO"'],
    [{ CapDrop: ['foo'] }, 'invalid CapDrop: unknown capability: "CAP_FOO"'],
    [{ SecurityOpt: ['foo'] }, 'invalid --security-opt 1: "foo"'],
    [{ SecurityOpt: ['seccomp={'] }, 'Decoding seccomp profile failed: '],
    [{ OomScoreAdj: 1001 }, 'Invalid value 1001, range for oom score adj is [-1000, 1000]'],
    [{ DeviceCgroupRules: ['c 1:3'] }, "invalid device cgroup rule format: 'c 1:3'"],
    [
      { Privileged: true, DeviceCgroupRules: ['c 1:3'] },
      "invalid device cgroup rule format: 'c 1:3'",
    ],
    [{ Sysctls: { 'vm.swappiness': '1' } }, 'sysctl "vm.swappiness" is not in a separate kernel'],
    [{ Annotations: { '': 'x' } }, 'invalid Annotations: the empty string is not permitted'],
    [{ IpcMode: 'foo' }, 'invalid IPC mode: foo'],
    [{ MaskedPaths: ['a'] }, 'invalid MaskedPaths: "a" is not an absolute path'],
    [{ ReadonlyPaths: ['a'] }, 'invalid ReadonlyPaths: "a" is not an absolute path'],
    [
      { Devices: [{ PathOnHost: '/dev/fuse', CgroupPermissions: 'rq' }] },
      'invalid device mode: "rq"',
    ],
    [
      { Devices: [{ PathOnHost: '/dev/fuse', CgroupPermissions: 'rr' }] },
      'invalid device mode: "rr"',
    ],
  ])('refuses the option %j in words', async (HostConfig, message) => {
    const answer = await refused({ Image: 'busybox', HostConfig });
    expect(answer).toMatchObject({ status: 400, code: 'invalid-argument' });
    expect(answer.message).toContain(message);
  });

  it('refuses a domain that is none', async () => {
    const answer = await refused({ Image: 'busybox', Domainname: 'a b' });
    expect(answer).toMatchObject({ status: 400, code: 'invalid-argument' });
    expect(answer.message).toContain('invalid domainname format: a b');
  });

  it.each([
    ['HostConfig.Devices', { HostConfig: { Devices: [{ PathOnHost: '/dev/kvm' }] } }],
    ['HostConfig.CpusetMems', { HostConfig: { CpusetMems: '0' } }],
    ['HostConfig.SecurityOpt', { HostConfig: { SecurityOpt: ['apparmor=mine'] } }],
    ['HostConfig.Annotations', { HostConfig: { Annotations: { 'dev.a3s.x': 'y' } } }],
    ['HostConfig.PidMode', { HostConfig: { PidMode: 'host' } }],
    ['HostConfig.NetworkMode', { HostConfig: { NetworkMode: 'host' } }],
    ['HostConfig.LogConfig', { HostConfig: { LogConfig: { Type: 'syslog' } } }],
    ['HostConfig.Mounts', { HostConfig: { Mounts: [{ Type: 'cluster', Target: '/x' }] } }],
    ['HostConfig.StorageOpt', { HostConfig: { StorageOpt: { quota: '1G' } } }],
    ['HostConfig.Tmpfs', { HostConfig: { Tmpfs: { '/x': 'dev' } } }],
    ['HostConfig.Binds', { HostConfig: { Binds: ['/a:/b:rshared'] } }],
    ['HostConfig.PortBindings', { HostConfig: { PortBindings: { '53/sctp': [{}] } } }],
    ['HostConfig.FromTheFuture', { HostConfig: { FromTheFuture: 1 } }],
    ['Unheard', { Unheard: 1 }],
    [
      'NetworkingConfig.EndpointsConfig',
      { NetworkingConfig: { EndpointsConfig: { bridge: { Aliases: ['x'] } } } },
    ],
    ['HostConfig.IpcMode', { HostConfig: { IpcMode: 'container:x' } }],
  ])('refuses the unsupported option %s', async (name, options) => {
    const answer = await refused({ Image: 'busybox', ...options });
    expect(answer).toMatchObject({ status: 400, code: 'unsupported-option' });
    expect(answer.message).toContain(name);
  });

  it.each([
    ['no image', {}, 400, 'invalid-argument'],
    ['an unknown image', { Image: 'nope' }, 404, 'no-such-image'],
    ['too little memory', { Image: 'busybox', HostConfig: { Memory: 1 } }, 400, 'invalid-argument'],
    [
      'more memory than there is',
      { Image: 'busybox', HostConfig: { Memory: totalmem() } },
      ...([400, 'invalid-argument'] as const),
    ],
    [
      'too many CPUs',
      { Image: 'busybox', HostConfig: { NanoCpus: 1e15 } },
      400,
      'invalid-argument',
    ],
    ['an unknown signal', { Image: 'busybox', StopSignal: 'SIGNOPE' }, 400, 'invalid-argument'],
    ['a wrong hostname', { Image: 'busybox', Hostname: 'a b' }, 400, 'invalid-argument'],
    [
      'a wrong address',
      { Image: 'busybox', HostConfig: { PortBindings: { '1/tcp': [{ HostIp: 'x' }] } } },
      400,
      'invalid-argument',
    ],
    [
      'a wrong port',
      { Image: 'busybox', HostConfig: { PortBindings: { '1/tcp': [{ HostPort: '99999' }] } } },
      400,
      'invalid-argument',
    ],
    [
      'the root as mount point',
      { Image: 'busybox', HostConfig: { Binds: ['/a:/'] } },
      400,
      'invalid-argument',
    ],
    [
      'one mount point twice',
      { Image: 'busybox', HostConfig: { Binds: ['/a:/x', '/b:/x/'] } },
      400,
      'invalid-argument',
    ],
    [
      'a mount point over the box’s own /proc',
      { Image: 'busybox', HostConfig: { Binds: ['/etc:/x/..//proc'] } },
      400,
      'invalid-argument',
    ],
    ['a relative directory', { Image: 'busybox', WorkingDir: 'tmp' }, 400, 'invalid-argument'],
    ['a string for a list', { Image: 'busybox', Env: 'A=1' }, 400, 'invalid-argument'],
    ['an array', [], 400, 'invalid-argument'],
    ['a number', '1', 400, 'invalid-argument'],
    ['no JSON', '{"Image":', 400, 'invalid-argument'],
    ['a NUL', { Image: 'busybox', Cmd: ['a\0b'] }, 400, 'invalid-argument'],
  ])('refuses to create a box with %s', async (_, body, status, code) => {
    expect(await refused(body)).toMatchObject({ status, code });
  });

  it('refuses a box name that is taken or malformed', async () => {
    const named = { Image: 'busybox', Cmd: ['x'] };
    expect((await home.call('POST', '/containers/create?name=taken', named)).status).toBe(201);
    expect(await home.call('POST', '/containers/create?name=taken', named)).toMatchObject({
      status: 409,
      body: { code: 'name-in-use' },
    });
    expect((await home.call('POST', '/containers/create?name=-x', named)).status).toBe(400);
  });

  it('accepts every option at the neutral value that Docker’s client sends', async () => {
    const { status } = await home.call('POST', '/containers/create', NOTHING_ASKED);
    expect(status).toBe(201);
  });
});

it(
  'refuses arbitrary JSON with status 400, and creates no box',
  () =>
    fuzz(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 5 }), async (body) => {
        const { status } = await home.call('POST', '/containers/create', JSON.stringify(body));
        expect(status).toBe(400);
      }),
    ),
  FUZZ_TIMEOUT,
);

const optionNames = fc.constantFrom(
  ...['Cmd', 'Entrypoint', 'Env', 'HostConfig', 'Labels', 'Tty', 'StopTimeout', 'User', 'Volumes'],
);
const hostNames = fc.constantFrom(
  ...['Binds', 'PortBindings', 'Memory', 'NanoCpus', 'ConsoleSize', 'LogConfig', 'RestartPolicy'],
);
const options = fc.dictionary(
  optionNames,
  fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.dictionary(hostNames, fc.jsonValue({ maxDepth: 3 }))),
);

it(
  'accepts or refuses known options with any value',
  () =>
    fuzz(
      fc.asyncProperty(options, async (body) => {
        const answer = await home.call('POST', '/containers/create', { ...body, Image: 'busybox' });
        expect([201, 400]).toContain(answer.status);
        if (answer.status === 201) {
          await home.call('DELETE', `/containers/${(answer.body as { Id: string }).Id}`);
        }
      }),
    ),
  FUZZ_TIMEOUT,
);

const NOTHING_ASKED = {
  ...{ Hostname: '', Domainname: '', User: '', AttachStdin: false, AttachStdout: true },
  ...{ AttachStderr: true, Tty: false, OpenStdin: false, StdinOnce: false, Env: null },
  ...{ Cmd: ['true'], Image: 'busybox', Volumes: {}, WorkingDir: '', Entrypoint: null },
  ...{ OnBuild: null, Labels: {}, MacAddress: '', Healthcheck: null, ExposedPorts: {} },
  HostConfig: {
    ...{ Binds: null, ContainerIDFile: '', LogConfig: { Type: '', Config: {} } },
    ...{ NetworkMode: 'default', PortBindings: {}, AutoRemove: false, VolumeDriver: '' },
    ...{ RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, VolumesFrom: null },
    ...{ ConsoleSize: [0, 0], CapAdd: null, CapDrop: null, CgroupnsMode: '', Dns: [] },
    ...{ DnsOptions: [], DnsSearch: [], ExtraHosts: null, GroupAdd: null, IpcMode: '' },
    ...{ Cgroup: '', Links: null, OomScoreAdj: 0, PidMode: '', Privileged: false },
    ...{ PublishAllPorts: false, ReadonlyRootfs: false, SecurityOpt: null, UTSMode: '' },
    ...{ UsernsMode: '', ShmSize: 0, Isolation: '', CpuShares: 0, Memory: 0, NanoCpus: 0 },
    ...{ CgroupParent: '', BlkioWeight: 0, BlkioWeightDevice: [], BlkioDeviceReadBps: [] },
    ...{ BlkioDeviceWriteBps: [], BlkioDeviceReadIOps: [], BlkioDeviceWriteIOps: [] },
    ...{ CpuPeriod: 0, CpuQuota: 0, CpuRealtimePeriod: 0, CpuRealtimeRuntime: 0 },
    ...{ CpusetCpus: '', CpusetMems: '', Devices: [], DeviceCgroupRules: null },
    ...{ DeviceRequests: null, MemoryReservation: 0, MemorySwap: 0, MemorySwappiness: -1 },
    ...{ OomKillDisable: false, PidsLimit: 0, Ulimits: [], CpuCount: 0, CpuPercent: 0 },
    ...{ IOMaximumIOps: 0, IOMaximumBandwidth: 0, MaskedPaths: null, ReadonlyPaths: null },
  },
  NetworkingConfig: {
    EndpointsConfig: {
      default: {
        ...{ IPAMConfig: null, Links: null, Aliases: null, MacAddress: '', NetworkID: '' },
        ...{ EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0, DriverOpts: null },
      },
    },
  },
};
