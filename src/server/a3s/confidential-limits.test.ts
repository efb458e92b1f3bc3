import { statSync } from 'node:fs';
import { hostDataOf } from '@a3s-box/policies/host-data';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encryptedDiskBytes } from '../../boxes/confidential/encrypted-disk.ts';
import { TestHome } from '../testing/home.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const home = new TestHome();
beforeAll(async () => {
  home.trust.rules = [allowConfidential('**')];
  await home.start();
});
afterAll(() => home.remove());

const MIB = 2 ** 20;
const RATES = [{ Path: '/dev/root', Rate: 5 }];

async function running(
  confidential: Record<string, unknown> = {},
  host: Record<string, unknown> = {},
): Promise<string> {
  const id = await home.create(['sleep', 'infinity'], {
    Confidential: { Tee: 'simulate', ...confidential },
    HostConfig: host,
  });
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

const ask = (id: string, verb: string, body?: unknown) =>
  home.call('POST', `/containers/${id}/${verb}`, body);
const definition = (id: string) => home.runtime.store.expect(id).definition;

describe('a confidential box', () => {
  it('puts guest limits into the launch spec, and applies host limits to the VMM', async () => {
    const host = { Memory: 64 * MIB, PidsLimit: 9, CpuQuota: 50_000, CpusetCpus: '0' };
    const id = await running({}, host);
    const spec: unknown = JSON.parse(definition(id).confidential?.launchSpec ?? '');
    expect(spec).toMatchObject({
      resources: { memoryBytes: 64 * MIB, cpuMillis: 500, pids: 9 },
    });
    expect(home.host.vm(id)?.limits).toMatchObject([{ processors: [0] }]);
  });

  it('puts capabilities, privileges, profile and paths into the launch spec', async () => {
    const id = await running(
      {},
      {
        ...{ CapAdd: ['SYS_TIME'], CapDrop: ['ALL'], MaskedPaths: ['/proc/keys'] },
        ...{ SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'], ReadonlyPaths: [] },
      },
    );
    const spec: unknown = JSON.parse(definition(id).confidential?.launchSpec ?? '');
    expect(spec).toMatchObject({
      confinement: {
        ...{ capabilities: ['CAP_SYS_TIME'], noNewPrivileges: true, seccomp: 'unconfined' },
        ...{ maskedPaths: ['/proc/keys'], readonlyPaths: [] },
      },
    });
  });

  it('puts groups, the OOM score, the domain and settings of the kernel into the launch spec', async () => {
    const id = await home.create(['sleep', 'infinity'], {
      ...{ Confidential: { Tee: 'simulate' }, Domainname: 'example.com' },
      HostConfig: {
        ...{ GroupAdd: ['audio', '42'], OomScoreAdj: 5 },
        Sysctls: { 'net.core.somaxconn': '9', 'kernel.sem': '1 2 3 4' },
      },
    });
    expect(JSON.parse(definition(id).confidential?.launchSpec ?? '')).toMatchObject({
      confinement: { groups: ['audio', '42'], oomScoreAdj: 5 },
      domainname: 'example.com',
      sysctls: [
        { path: 'kernel/sem', value: '1 2 3 4' },
        { path: 'net/core/somaxconn', value: '9' },
      ],
    });
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  });

  it('puts name servers, search domains, options and host names into the launch spec', async () => {
    const asked = {
      ...{ Dns: ['9.9.9.9', '1.1.1.1'], DnsSearch: ['example.com'], DnsOptions: ['ndots:2'] },
      ExtraHosts: ['web:FD00::0001', 'db:10.9.9.9', 'db:10.1.2.3'],
    };
    const id = await running({}, asked);
    expect(JSON.parse(definition(id).confidential?.launchSpec ?? '')).toMatchObject({
      hosts: [
        { name: 'db', address: '10.9.9.9' },
        { name: 'db', address: '10.1.2.3' },
        { name: 'web', address: 'fd00::1' },
      ],
      resolver: {
        nameservers: ['9.9.9.9', '1.1.1.1'],
        search: ['example.com'],
        options: ['ndots:2'],
      },
    });
    const shown = await home.call('GET', `/containers/${id}/json`);
    expect(shown.body).toMatchObject({ HostConfig: asked });
  });

  it.each([
    [{ DnsSearch: ['.'] }, {}],
    [{ NetworkMode: 'none', Dns: ['9.9.9.9'] }, {}],
    [
      { NetworkMode: 'none', ExtraHosts: ['db:10.1.2.3'] },
      { hosts: [{ name: 'db', address: '10.1.2.3' }] },
    ],
  ])('says of %j in the launch spec what has an effect: %j', async (asked, said) => {
    const id = await running({}, asked);
    const spec = JSON.parse(definition(id).confidential?.launchSpec ?? '');
    expect({ hosts: spec.hosts, resolver: spec.resolver }).toEqual({ ...said });
  });

  it('refuses a DNS server at an IPv6 address, which the box could not ask', async () => {
    expect(
      await home.call('POST', '/containers/create', {
        ...{ Image: 'busybox', Cmd: ['true'], Confidential: { Tee: 'simulate' } },
        HostConfig: { Dns: ['9.9.9.9', '2620:fe::fe'] },
      }),
    ).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining('2620:fe::fe') },
    });
  });

  it('refuses host-gateway, which is another address on every host', async () => {
    expect(
      await home.call('POST', '/containers/create', {
        ...{ Image: 'busybox', Cmd: ['true'], Confidential: { Tee: 'simulate' } },
        HostConfig: { ExtraHosts: ['host:host-gateway'] },
      }),
    ).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining('host-gateway') },
    });
  });

  it('refuses link-local addresses, which are not the host’s to choose', async () => {
    expect(
      await home.call('POST', '/containers/create', {
        ...{ Image: 'busybox', Cmd: ['true'], Confidential: { Tee: 'simulate' } },
        NetworkingConfig: {
          EndpointsConfig: { bridge: { IPAMConfig: { LinkLocalIPs: ['169.254.8.8'] } } },
        },
      }),
    ).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining('LinkLocalIPs') },
    });
  });

  it('refuses a box without /dev/shm, for which launch specs have no word', async () => {
    expect(
      await home.call('POST', '/containers/create', {
        ...{ Image: 'busybox', Cmd: ['true'], Confidential: { Tee: 'simulate' } },
        HostConfig: { IpcMode: 'none' },
      }),
    ).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining('IpcMode none') },
    });
  });

  it('puts devices, rules for devices, a profile and the size of the writable layer into the launch spec', async () => {
    const id = await running(
      { Changes: 'encrypted-disk' },
      {
        Devices: ['/dev/net/tun', '/dev/fuse'].map((PathOnHost) => ({ PathOnHost })),
        ...{ DeviceCgroupRules: ['c 10:229 rwm', 'c 188:* r'], StorageOpt: { size: '1G' } },
        SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_LOG"}'],
      },
    );
    expect(JSON.parse(definition(id).confidential?.launchSpec ?? '')).toMatchObject({
      rootfs: { changes: 'encrypted-disk', changesBytes: 2 ** 30 },
      confinement: {
        devices: ['fuse', 'net/tun'],
        deviceRules: [
          { kind: 'char', major: 10, minor: 229, access: 'rwm' },
          { kind: 'char', major: 188, access: 'r' },
        ],
        ...{ seccomp: 'profile', seccompProfile: { default: { kind: 'log', value: 0 } } },
      },
    });
    const disk = home.host.vm(id)?.spec.disks.find(({ serial }) => serial === 'changes');
    expect(statSync(disk?.path ?? '').size).toBe(encryptedDiskBytes(2 ** 30));
  });

  it('puts devices of a privileged box into its launch spec, and no rules for devices', async () => {
    const id = await running(
      {},
      {
        ...{ Privileged: true, DeviceCgroupRules: ['a *:* rwm'] },
        Devices: [{ PathOnHost: '/dev/net/tun' }],
      },
    );
    const spec: unknown = JSON.parse(definition(id).confidential?.launchSpec ?? '');
    expect(spec).toMatchObject({ confinement: { devices: ['net/tun'], privileged: true } });
    expect(spec).not.toMatchObject({ confinement: { deviceRules: expect.anything() } });
  });

  it('keeps changes of a given size in memory up to half of the memory', async () => {
    const asked = (size: string) => ({
      ...{ Image: 'busybox', Cmd: ['true'], Confidential: { Tee: 'simulate' } },
      HostConfig: { Memory: 128 * MIB, StorageOpt: { size } },
    });
    const { body } = await home.call('POST', '/containers/create', asked('64m'));
    const { launchSpec = '' } = definition((body as { Id: string }).Id).confidential ?? {};
    expect(JSON.parse(launchSpec)).toMatchObject({
      rootfs: { changes: 'memory', changesBytes: 64 * MIB },
    });
    expect(await home.call('POST', '/containers/create', asked('65m'))).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument', remedy: expect.stringContaining('encrypted-disk') },
    });
  });

  it('refuses /dev/net/tun where the boot set has no driver for it', async () => {
    const { boot } = home;
    home.boot = {
      ...boot,
      confidential: boot.confidential && { ...boot.confidential, modules: [] },
    };
    const asked = (PathOnHost: string) => ({
      ...{ Image: 'busybox', Cmd: ['true'], Confidential: { Tee: 'simulate' } },
      HostConfig: { Devices: [{ PathOnHost }] },
    });
    try {
      expect(await home.call('POST', '/containers/create', asked('/dev/net/tun'))).toMatchObject({
        status: 400,
        body: { code: 'unsupported-option', message: expect.stringContaining('/dev/net/tun') },
      });
      expect((await home.call('POST', '/containers/create', asked('/dev/fuse'))).status).toBe(201);
    } finally {
      home.boot = boot;
    }
  });

  it('says in the launch spec, HOST_DATA and the command line that it is privileged', async () => {
    const id = await running({}, { Privileged: true });
    const { launchSpec = '', specDigest = '' } = definition(id).confidential ?? {};
    expect(JSON.parse(launchSpec)).toMatchObject({ confinement: { privileged: true } });
    const { spec } = home.host.vm(id) ?? {};
    expect(spec?.boot.commandLine).toEqual(['a3s.tee=simulated', 'a3s.privileged']);
    const hostData = hostDataOf(specDigest, true);
    expect(Buffer.from(spec?.confidential?.hostData ?? []).toString('hex')).toBe(hostData);
    const shown = await home.call('GET', `/containers/${id}/json`);
    expect(shown.body).toMatchObject({ Confidential: { HostData: hostData } });
  });

  it.each([
    [8, { HostConfig: { Privileged: true } }],
    [9, { HostConfig: { GroupAdd: ['1'] } }],
    [9, { HostConfig: { OomScoreAdj: 1 } }],
    [9, { HostConfig: { Sysctls: { 'net.core.somaxconn': '9' } } }],
    [9, { Domainname: 'example.com' }],
    [10, { HostConfig: { Devices: [{ PathOnHost: '/dev/fuse' }] } }],
    [10, { HostConfig: { DeviceCgroupRules: ['c 188:* r'] } }],
    [10, { HostConfig: { SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] } }],
    [10, { HostConfig: { StorageOpt: { size: '64m' } } }],
    [11, { HostConfig: { Dns: ['9.9.9.9'] } }],
    [11, { HostConfig: { ExtraHosts: ['db:10.1.2.3'] } }],
  ])('refuses what a boot set of revision %d does not know: %j', async (launchSpec, asked) => {
    const { boot } = home;
    const confidential = boot.confidential && { ...boot.confidential, launchSpec };
    home.boot = { ...boot, confidential };
    try {
      expect(
        await home.call('POST', '/containers/create', {
          ...{ Image: 'busybox', Cmd: ['true'], Confidential: { Tee: 'simulate' } },
          ...asked,
        }),
      ).toMatchObject({ status: 400, body: { code: 'unsupported-option' } });
    } finally {
      home.boot = boot;
    }
  });

  it('refuses a privileged exec', async () => {
    const id = await running({ HostMay: ['exec'] });
    const exec = { Cmd: ['true'], Privileged: true };
    expect(await ask(id, 'exec', exec)).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining('Privileged') },
    });
    expect((await ask(id, 'exec', { ...exec, Privileged: false })).status).toBe(201);
  });

  it('refuses to update measured limits, and updates host limits', async () => {
    const id = await running({}, { Memory: 64 * MIB });
    for (const body of [{ Memory: 32 * MIB }, { PidsLimit: 4 }, { CpuShares: 512 }]) {
      expect(await ask(id, 'update', body)).toMatchObject({
        status: 400,
        body: { code: 'unsupported-option', message: expect.stringContaining('launch spec') },
      });
    }
    expect(definition(id)).toMatchObject({ memoryBytes: 64 * MIB, limits: { pids: 0 } });
    const allowed = { CpusetCpus: '0', RestartPolicy: { Name: 'always' } };
    expect((await ask(id, 'update', allowed)).status).toBe(200);
    expect(definition(id)).toMatchObject({ limits: { cpuset: '0' }, restart: { name: 'always' } });
    expect(home.host.vm(id)?.limits).toMatchObject([{ processors: [0] }]);
  });

  it('refuses disk rates for a box whose changes are in memory', async () => {
    const asked = {
      ...{ Image: 'busybox', Cmd: ['true'], Confidential: { Tee: 'simulate' } },
      HostConfig: { BlkioDeviceWriteBps: RATES },
    };
    const refused = { status: 400, body: { code: 'unsupported-option' } };
    expect(await home.call('POST', '/containers/create', asked)).toMatchObject(refused);
    const id = await running();
    expect(await ask(id, 'update', { BlkioDeviceWriteBps: RATES })).toMatchObject(refused);
  });

  it('pauses, counts and lists a confidential box only with the permission', async () => {
    const may = await running({ HostMay: ['signals', 'stats'] });
    expect((await ask(may, 'pause')).status).toBe(204);
    expect((await ask(may, 'unpause')).status).toBe(204);
    expect((await home.call('GET', `/containers/${may}/stats?stream=0&one-shot=1`)).status).toBe(
      200,
    );
    expect((await home.call('GET', `/containers/${may}/top`)).status).toBe(200);
    const not = await running();
    const refused = { status: 403, body: { code: 'host-not-permitted' } };
    for (const verb of ['pause', 'unpause']) expect(await ask(not, verb)).toMatchObject(refused);
    for (const what of ['stats?stream=0', 'stats', 'top']) {
      expect(await home.call('GET', `/containers/${not}/${what}`)).toMatchObject(refused);
    }
  });
});
