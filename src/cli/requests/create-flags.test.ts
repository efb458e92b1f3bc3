import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { ULIMITS } from '@a3s-box/policies';
import { describe, expect, it } from 'vitest';
import { type FakeEnds, type Transcript, transcript } from '../testing/fake-context.ts';
import { serveFake } from '../testing/serve-fake.ts';
import { ULIMIT_NAMES } from '../values/ulimit.ts';

const { server, socket, directory } = serveFake();

const a3s = (args: readonly string[], ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, args, ends);

async function created(...args: string[]): Promise<Record<string, never>> {
  const done = await a3s(['create', ...args, 'img']);
  expect(done.stderr).toBe('');
  return JSON.parse(server.calls.at(-1)?.body ?? '');
}

describe('flags of run and create', () => {
  it.each([
    [['--memory-swap', '-1'], { MemorySwap: -1 }],
    [['--memory-swap', '1g'], { MemorySwap: 1024 ** 3 }],
    [['--memory-reservation', '64m'], { MemoryReservation: 64 * 1024 ** 2 }],
    [['--pids-limit', '100'], { PidsLimit: 100 }],
    [['-c', '512'], { CpuShares: 512 }],
    [['--cpu-period=50000', '--cpu-quota=25000'], { CpuPeriod: 50_000, CpuQuota: 25_000 }],
    [['--cpuset-cpus', '0,1'], { CpusetCpus: '0,1' }],
    [
      ['--ulimit', 'nofile=1024:2048', '--ulimit', 'core=-1', '--ulimit', 'nproc=5'],
      {
        Ulimits: [
          { Name: 'nofile', Soft: 1024, Hard: 2048 },
          { Name: 'core', Soft: -1, Hard: -1 },
          { Name: 'nproc', Soft: 5, Hard: 5 },
        ],
      },
    ],
    [
      ['--device-read-bps', '/dev/root:1mb', '--device-write-iops', '/dev/root:100'],
      {
        BlkioDeviceReadBps: [{ Path: '/dev/root', Rate: 1024 ** 2 }],
        BlkioDeviceWriteIOps: [{ Path: '/dev/root', Rate: 100 }],
      },
    ],
    // The server discards these, with Docker's warnings.
    [
      ['--blkio-weight=500', '--blkio-weight-device', '/dev/sda:10', '--kernel-memory', '64m'],
      {
        ...{ BlkioWeight: 500, BlkioWeightDevice: [{ Path: '/dev/sda', Weight: 10 }] },
        KernelMemory: 64 * 1024 ** 2,
      },
    ],
    [
      ['--memory-swappiness', '60', '--oom-kill-disable', '--isolation=default'],
      { MemorySwappiness: 60, OomKillDisable: true, Isolation: 'default' },
    ],
    [['--restart', 'always'], { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } }],
    [
      ['--restart', 'on-failure:3'],
      { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } },
    ],
    [['--restart=no', '--rm'], { RestartPolicy: { Name: 'no', MaximumRetryCount: 0 } }],
    [
      ['--cap-add', 'SYS_ADMIN', '--cap-add', 'net_admin', '--cap-drop=ALL'],
      { CapAdd: ['SYS_ADMIN', 'net_admin'], CapDrop: ['ALL'] },
    ],
    [['--group-add', 'audio', '--group-add=42'], { GroupAdd: ['audio', '42'] }],
    [['--oom-score-adj', '-500'], { OomScoreAdj: -500 }],
    [['--runtime', 'runc'], { Runtime: 'runc' }],
    [['--privileged'], { Privileged: true }],
    [
      ['--sysctl', 'net.core.somaxconn=1024', '--annotation', 'a=b', '--annotation', 'c'],
      { Sysctls: { 'net.core.somaxconn': '1024' }, Annotations: { a: 'b', c: '' } },
    ],
    [
      ['--ipc', 'shareable', '--pid=', '--uts', '', '--userns=private', '--cgroupns=private'],
      {
        ...{ IpcMode: 'shareable', PidMode: '', UTSMode: '', UsernsMode: 'private' },
        CgroupnsMode: 'private',
      },
    ],
    [
      ['--device', '/dev/fuse', '--device', '/dev/net/tun:rw', '--device=/dev/fuse:/dev/fuse:rwm'],
      {
        Devices: [
          { PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' },
          { PathOnHost: '/dev/net/tun', PathInContainer: '/dev/net/tun', CgroupPermissions: 'rw' },
          { PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' },
        ],
      },
    ],
    [
      ['--device-cgroup-rule', 'c 10:229 rwm', '--device-cgroup-rule=b *:* r'],
      { DeviceCgroupRules: ['c 10:229 rwm', 'b *:* r'] },
    ],
    [
      ['--security-opt', 'no-new-privileges', '--security-opt=seccomp=unconfined'],
      { SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] },
    ],
    [
      ['--security-opt=systempaths=unconfined', '--security-opt', 'label:disable'],
      { SecurityOpt: ['label:disable'], MaskedPaths: [], ReadonlyPaths: [] },
    ],
    [['--init'], { Init: true }],
    [['--init=false'], { Init: false }],
    [
      ['--log-driver', 'local', '--log-opt', 'max-size=10m', '--log-opt', 'max-file=3'],
      { LogConfig: { Type: 'local', Config: { 'max-size': '10m', 'max-file': '3' } } },
    ],
  ])('sends the settings of the flags %j', async (args, part) => {
    const { HostConfig } = await created(...args);
    expect(HostConfig).toMatchObject(part);
  });

  it('sends no settings for flags that are not given', async () => {
    const { HostConfig, Healthcheck } = await created();
    expect(Object.keys(HostConfig ?? {}).sort()).toEqual([
      'AutoRemove',
      'Binds',
      'NetworkMode',
      'PortBindings',
    ]);
    expect(Healthcheck).toBeUndefined();
  });

  it('sends the domain of the box', async () => {
    expect(await created('--domainname', 'example.com')).toMatchObject({
      Domainname: 'example.com',
    });
  });

  it('sends the text of a seccomp profile, and refuses a file that has none', async () => {
    const profile = join(directory, 'profile.json');
    writeFileSync(profile, '{"defaultAction": "SCMP_ACT_ALLOW",\n "x": 18446744073709551615}\n');
    const { HostConfig } = await created('--security-opt', `seccomp=${profile}`);
    expect(HostConfig).toMatchObject({
      SecurityOpt: ['seccomp={"defaultAction": "SCMP_ACT_ALLOW",\n "x": 18446744073709551615}'],
    });
    writeFileSync(profile, '{');
    const sent = server.calls.length;
    for (const [option, message] of [
      [`seccomp=${profile}`, `compacting json for seccomp profile (${profile}) failed: `],
      ['seccomp=/no/such', 'opening seccomp profile (/no/such) failed: ENOENT'],
      ['seccomp', 'invalid --security-opt: "seccomp"'],
    ] as const) {
      const done = await a3s(['create', '--security-opt', option, 'img']);
      expect(done.status).toBe(125);
      expect(done.stderr).toContain(message);
    }
    expect(server.calls).toHaveLength(sent);
  });

  it.each([
    [['--device', 'a:b:c:d'], 'invalid device specification: a:b:c:d'],
    [['--device-cgroup-rule', 'c 1:3'], "invalid device cgroup format 'c 1:3'"],
    [['--sysctl', 'net.core.somaxconn'], "sysctl 'net.core.somaxconn' is not allowed"],
  ])('refuses %j in Docker’s words', async (args, message) => {
    const done = await a3s(['create', ...args, 'img']);
    expect(done.status).toBe(125);
    expect(done.stderr).toContain(message);
  });

  it('mounts host paths and named volumes, each of them once, and makes anonymous volumes', async () => {
    const volumes = ['./a:/a', 'data:/data:ro,nocopy', 'data:/data:ro,nocopy', '/x', '/y', '/x'];
    const args = volumes.flatMap((volume) => ['-v', volume]);
    const more = ['--volume-driver', 'local', '--volumes-from', 'other:ro'];
    const { HostConfig, Volumes } = await created(...args, ...more);
    expect(HostConfig).toMatchObject({
      VolumesFrom: ['other:ro'],
      Binds: ['/srv/a:/a', 'data:/data:ro,nocopy'],
      VolumeDriver: 'local',
    });
    expect(HostConfig).not.toHaveProperty('Mounts');
    expect(Volumes).toEqual({ '/x': {}, '/y': {} });
  });

  it('warns where Docker warns about mounts', async () => {
    const mount = 'type=bind,src=/a,dst=/a,bind-nonrecursive=true';
    const done = await a3s([
      ...['create', '--mount', mount, '--mount', 'dst=/b', '--volume-driver', 'local', 'img'],
    ]);
    expect(done).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\w{64}\n$/) });
    expect(done.stderr).toBe(
      'WARNING: bind-nonrecursive is deprecated, use bind-recursive=disabled instead\n' +
        'WARNING: `--volume-driver` is ignored for volumes specified via `--mount`. ' +
        'Use `--mount type=volume,volume-driver=...` instead.\n',
    );
    expect(JSON.parse(server.calls.at(-1)?.body ?? '').HostConfig.Mounts).toEqual([
      { Type: 'bind', Source: '/a', Target: '/a', BindOptions: { NonRecursive: true } },
      { Type: 'volume', Target: '/b' },
    ]);
  });

  it.each([
    [['--no-healthcheck'], { Test: ['NONE'] }],
    [['--health-cmd', 'wget -q localhost'], { Test: ['CMD-SHELL', 'wget -q localhost'] }],
    [
      ['--health-interval', '1m30s', '--health-timeout=500ms', '--health-retries', '2'],
      { Interval: 90e9, Timeout: 5e8, Retries: 2 },
    ],
    [
      ['--health-start-period', '1h', '--health-start-interval', '1.5s'],
      { StartPeriod: 3600e9, StartInterval: 1.5e9 },
    ],
  ])('sends the health check of the flags %j', async (args, healthcheck) => {
    expect((await created(...args))['Healthcheck']).toEqual(healthcheck);
  });

  it('exposes ports and ranges of ports', async () => {
    const { ExposedPorts } = await created('--expose', '80', '--expose', '90-91/udp', '-p', '70');
    expect(Object.keys(ExposedPorts ?? {})).toEqual(['70/tcp', '80/tcp', '90/udp', '91/udp']);
  });

  it('publishes ranges of ports', async () => {
    const { HostConfig } = await created('-p', '8000-8002:80-82');
    expect(HostConfig).toMatchObject({
      PortBindings: {
        '80/tcp': [{ HostPort: '8000' }],
        '81/tcp': [{ HostPort: '8001' }],
        '82/tcp': [{ HostPort: '8002' }],
      },
    });
  });

  it.each([
    ['--rm --restart always', 'conflicting options: cannot specify both --restart and --rm'],
    ['--restart on-failure:x', 'maximum retry count must be an integer'],
    ['--restart a:b:c', 'invalid restart policy format: too many colons'],
    ['--ulimit nofile', 'invalid ulimit argument: nofile'],
    ['--ulimit foo=5', 'invalid ulimit type: foo'],
    ['--ulimit nofile=5:2', 'soft limit must be less than or equal to hard limit: 5 > 2'],
    ['--ulimit nofile=-1:2', 'soft limit must be less than or equal to hard limit: -1 > 2'],
    ['--ulimit nofile=1:2:3', 'too many limit value arguments'],
    ['--ulimit nofile=a', 'a limit is a whole number, or -1: "a"'],
    ['--device-read-bps foo', 'bad format: foo'],
    ['--device-read-bps root:1', 'bad format for device path: root:1'],
    [
      '--device-read-bps /dev/sda:1',
      'unsupported device /dev/sda: the one disk of a box is /dev/root',
    ],
    ['--device-write-bps /dev/root:x', 'The correct format is <device-path>:<number>[<unit>].'],
    ['--device-read-iops /dev/root:1m', 'The correct format is <device-path>:<number>.'],
    ['--memory-swap -2', 'invalid argument "-2" for "--memory-swap" flag'],
    ['--pids-limit x', 'invalid argument "x" for "--pids-limit" flag'],
    ['--health-interval 1', 'time: missing unit in duration "1"'],
    ['--health-interval 1x', 'time: unknown unit "x" in duration "1x"'],
    ['--health-timeout soon', 'time: invalid duration "soon"'],
    ['--health-timeout=-1s', '--health-timeout cannot be negative'],
    ['--health-cmd x --health-retries=-1', '--health-retries cannot be negative'],
    ['--no-healthcheck --health-cmd x', '--no-healthcheck conflicts with --health-* options'],
    ['--log-driver none --log-opt a=b', 'invalid logging opts for driver none'],
    ['--expose 5000-4000', 'invalid range format for --expose: 5000-4000'],
    ['--expose 80/icmp', 'invalid port format for --expose: 80/icmp'],
    ['-p 8000-8002:80-81', 'Invalid ranges specified for container and host Ports'],
    ['--cpuset-mems 0', 'unsupported flag --cpuset-mems for run'],
    ['--blkio-weight-device /dev/sda', 'bad format: /dev/sda'],
    ['--blkio-weight-device sda:10', 'bad format for device path: sda:10'],
    ['--blkio-weight-device /dev/sda:9', 'invalid weight for device: /dev/sda:9'],
    ['--memory-swappiness 101', 'Valid memory swappiness range is 0-100'],
    ['-a foo', 'valid streams are STDIN, STDOUT and STDERR'],
    ['-d -a stdout', 'conflicting options: cannot specify both --attach and --detach'],
    [`--cidfile ${directory}`, 'box ID file found'],
    [`--cidfile /nonexistent/cid`, 'failed to create the box ID file /nonexistent/cid: ENOENT'],
  ])('refuses the flags of run %s', async (line, message) => {
    const done = await a3s(['run', ...line.split(' '), 'img']);
    expect(done.stderr).toContain(message);
    expect(done).toMatchObject({ status: 125, stdout: '' });
    expect(server.log).toEqual([]);
  });

  it('accepts every ulimit of the schema', () => {
    expect(ULIMIT_NAMES).toEqual(ULIMITS);
  });
});

describe('--cidfile', () => {
  it('writes the box id to --cidfile, and never overwrites a file', async () => {
    const path = join(directory, 'cid');
    const done = await a3s(['run', '-d', '--cidfile', 'cid', 'box', 'signals'], { cwd: directory });
    expect(`${readFileSync(path, 'utf8')}\n`).toBe(done.stdout);
    const again = await a3s(['create', '--cidfile', path, 'box']);
    expect(again.status).toBe(125);
    expect(again.stderr).toContain("make sure the other box isn't running or delete");
  });

  it('writes no --cidfile when no box was created', async () => {
    const path = join(directory, 'none');
    await a3s(['create', '--pull', 'never', '--cidfile', path, 'missing']);
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, 'kept');
    await a3s(['create', '--cidfile', path, 'box']);
    expect(readFileSync(path, 'utf8')).toBe('kept');
  });
});

describe('--attach', () => {
  const attachQuery = (): Record<string, string> =>
    Object.fromEntries(server.calls.find(({ call }) => call.endsWith('/attach'))?.query ?? []);

  it.each([
    [[], { stdin: '0', stdout: '1', stderr: '1' }],
    [['-a', 'stdout'], { stdin: '0', stdout: '1', stderr: '0' }],
    [['--attach=STDERR', '-i'], { stdin: '1', stdout: '0', stderr: '1' }],
  ])('run %j attaches %j', async (args, query) => {
    const stdin = new PassThrough();
    stdin.end();
    expect(await a3s(['run', ...args, 'box', 'exit', '3'], { stdin })).toMatchObject({ status: 3 });
    expect(attachQuery()).toMatchObject(query);
  });

  it('run -a stdin ends with its input, and prints the box id', async () => {
    const stdin = new PassThrough();
    stdin.end('x');
    const done = await a3s(['run', '-i', '-a', 'stdin', 'box', 'signals'], { stdin });
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toMatch(/^a+1\n$/);
    const body = JSON.parse(server.called('POST /containers/create')?.body ?? '');
    expect(body).toMatchObject({ AttachStdin: true, AttachStdout: false, StdinOnce: true });
  });
});
