/**
 * Every field of `HostConfig` in Docker's create document, v1.45, and its effect here.
 *
 * @module
 */
import { differs, discarded, type Field, refused, works } from './create-field.ts';

const MIB = 2 ** 20;

const rate = (number: number) => [{ Path: '/dev/root', Rate: number }];
const RATES = 'of the one disk that a box writes to, /dev/root';
const OTHER_DISK = [[{ Path: '/dev/sda', Rate: 1 }]];

export const HOST_CONFIG_FIELDS: Readonly<Record<string, Field>> = {
  CpuShares: differs(
    'a weight among the processes of the box, and of its microVM among those of the host: above 1024 root’s alone',
    512,
    ({ record, vm }) => [record.limits.cpuShares, (vm.hostLimits?.nice ?? 0) > 0],
    [512, true],
  ),
  Memory: differs(
    'of the box’s processes; the microVM has 96 MiB more for its kernel',
    64 * MIB,
    ({ spec }) => spec.resources.memoryBytes,
  ),
  CgroupParent: refused('/x'),
  BlkioWeight: discarded(100),
  BlkioWeightDevice: discarded([{ Path: '/dev/root', Weight: 100 }]),
  BlkioDeviceReadBps: {
    ...differs(RATES, rate(1000), ({ vm }) => vm.hostLimits?.disk.readBps, 1000),
    refused: OTHER_DISK,
  },
  BlkioDeviceWriteBps: {
    ...differs(RATES, rate(1000), ({ vm }) => vm.hostLimits?.disk.writeBps, 1000),
    refused: OTHER_DISK,
  },
  BlkioDeviceReadIOps: {
    ...differs(RATES, rate(100), ({ vm }) => vm.hostLimits?.disk.readIops, 100),
    refused: OTHER_DISK,
  },
  BlkioDeviceWriteIOps: {
    ...differs(RATES, rate(100), ({ vm }) => vm.hostLimits?.disk.writeIops, 100),
    refused: OTHER_DISK,
  },
  CpuPeriod: {
    ...differs(
      'with `CpuQuota` it makes a part of a CPU; the period that the guest counts in is its own',
      50_000,
      ({ spec }) => spec.resources.cpuMillis,
      500,
    ),
    besideHost: { CpuQuota: 25_000 },
  },
  CpuQuota: works(50_000, ({ spec }) => spec.resources.cpuMillis, 500),
  CpuRealtimePeriod: refused(1000),
  CpuRealtimeRuntime: refused(1000),
  CpusetCpus: differs(
    'processors of the host that the microVM runs on',
    '0',
    ({ vm }) => vm.hostLimits?.processors,
    [0],
  ),
  CpusetMems: refused('0'),
  Devices: {
    ...differs(
      'devices of the microVM’s own kernel, /dev/fuse and /dev/net/tun, in their places, as far as that kernel has them',
      [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' }],
      ({ spec }) => spec.confinement.devices,
      ['fuse'],
    ),
    refused: [
      [{ PathOnHost: '/dev/kvm', PathInContainer: '/dev/kvm', CgroupPermissions: 'rwm' }],
      [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/other', CgroupPermissions: 'rwm' }],
      [{ PathOnHost: '/dev/fuse', PathInContainer: '', CgroupPermissions: 'r' }],
    ],
  },
  DeviceCgroupRules: differs(
    'devices of the microVM’s own kernel, by nodes that the box makes in its /dev: all other mounts stay nodev',
    ['c 13:* rwm'],
    ({ spec }) => spec.confinement.deviceRules,
    [{ kind: 'char', major: 13, access: 'rwm' }],
  ),
  DeviceRequests: refused([{ Driver: 'nvidia', Count: -1 }]),
  KernelMemory: discarded(1),
  KernelMemoryTCP: discarded(1),
  MemoryReservation: works(32 * MIB, ({ spec }) => spec.resources.memoryReservationBytes),
  MemorySwap: {
    ...differs(
      'a guest has no swap: more than Memory becomes -1, with Docker’s warning, as on a host that does not count swap',
      64 * MIB,
      ({ record }) => record.limits.memorySwapBytes,
    ),
    besideHost: { Memory: 64 * MIB },
  },
  MemorySwappiness: discarded(60),
  NanoCpus: differs(
    'a microVM has as many processors as the share spreads over; one, where nothing is asked for; less than a thousandth of one counts as that',
    500_000_000,
    ({ spec, vm }) => [spec.resources.cpuMillis, vm.cpus],
    [500, 1],
  ),
  OomKillDisable: discarded(true),
  Init: works(true, ({ spec }) => spec.init),
  PidsLimit: works(100, ({ spec }) => spec.resources.pids),
  Ulimits: works(
    [{ Name: 'nofile', Soft: 512, Hard: 1024 }],
    ({ spec }) => spec.resources.ulimits,
    [{ name: 'nofile', soft: 512, hard: 1024 }],
  ),
  CpuCount: refused(1),
  CpuPercent: discarded(1),
  IOMaximumIOps: refused(1),
  IOMaximumBandwidth: refused(1),
  Binds: {
    ...differs(
      'host paths and volumes; modes of SELinux and of caches ask for nothing here, and no mount spreads to or from the host',
      ['/tmp:/data:ro', 'volume:/volume'],
      ({ spec }) => spec.mounts.map(({ destination, readonly }) => ({ destination, readonly })),
      [
        { destination: '/data', readonly: true },
        { destination: '/volume', readonly: false },
      ],
    ),
    refused: [['/a:/b:shared']],
  },
  ContainerIDFile: differs(
    'a note of the client’s: the server writes no file',
    '/tmp/x',
    ({ record }) => record.containerIdFile,
  ),
  LogConfig: {
    ...differs(
      'json-file, local and none',
      { Type: 'json-file', Config: { 'max-size': '1m' } },
      ({ record }) => record.logging.maxBytes,
      1_000_000,
    ),
    refused: [{ Type: 'syslog' }, { Type: 'fluentd', Config: {} }],
  },
  NetworkMode: {
    ...differs(
      'default, which is also called bridge and which each box has to itself, none, or a user-defined network; more of them are in `EndpointsConfig`',
      'none',
      ({ spec }) => spec.network.kind,
    ),
    refused: ['host', 'container:x'],
  },
  PortBindings: {
    ...differs(
      'TCP and UDP over IPv4',
      {
        '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }],
        '53/udp': [{ HostIp: '127.0.0.1', HostPort: '32000-60000' }],
      },
      ({ vm }) => vm.nic?.ports.map(({ hostIp, boxPort, protocol }) => [hostIp, boxPort, protocol]),
      [
        ['127.0.0.1', 80, 'tcp'],
        ['127.0.0.1', 53, 'udp'],
      ],
    ),
    refused: [{ '53/sctp': [{}] }, { '80/tcp': [{ HostIp: '::ffff:127.0.0.1' }] }],
  },
  RestartPolicy: works(
    { Name: 'on-failure', MaximumRetryCount: 3 },
    ({ record }) => record.restart,
    { name: 'on-failure', maximumRetryCount: 3 },
  ),
  AutoRemove: works(true, ({ record }) => record.autoRemove),
  VolumeDriver: {
    ...differs(
      'a volume is made by `local` alone; as in Docker, a driver that makes none need not exist',
      'local',
      ({ record }) => record.volumeDriver,
    ),
  },
  VolumesFrom: works(
    ['other:ro'],
    ({ record }) => record.volumeMounts.map(({ name, readonly }) => ({ name, readonly })),
    [{ name: 'theirs', readonly: true }],
  ),
  Mounts: {
    ...differs(
      'bind mounts, without recursion only where nothing is mounted below the source; volumes, images and tmpfs; options of the driver `local` are those of disks and `o=bind`',
      [
        { Type: 'bind', Source: '/tmp', Target: '/data' },
        { Type: 'tmpfs', Target: '/memory', TmpfsOptions: { SizeBytes: 4096, Mode: 0o1770 } },
      ],
      ({ spec }) => [
        ...spec.mounts.map(({ destination }) => destination),
        ...(spec.tmpfs ?? []).map(({ destination, sizeBytes }) => `${destination} ${sizeBytes}`),
      ],
      ['/data', '/memory 4096'],
    ),
    refused: [
      [{ Type: 'cluster', Source: 'x', Target: '/data' }],
      [{ Type: 'bind', Source: '/tmp', Target: '/data', BindOptions: { Propagation: 'shared' } }],
    ],
  },
  ConsoleSize: {
    ...works([24, 80], ({ spec }) => spec.process.size, { rows: 24, columns: 80 }),
    beside: { Tty: true },
  },
  Annotations: {
    ...differs(
      'kept, and shown; those of `dev.a3s.` are [flags of A3S Box](confidential/boxes.md#annotations), and unknown ones are refused',
      { a: 'b' },
      ({ record }) => record.security.annotations,
    ),
    refused: [{ 'dev.a3s.no': 'x' }],
  },
  CapAdd: works(
    ['SYS_ADMIN'],
    ({ spec }) => spec.confinement.capabilities.includes('CAP_SYS_ADMIN'),
    true,
  ),
  CapDrop: works(['ALL'], ({ spec }) => spec.confinement.capabilities, []),
  CgroupnsMode: refused('host', 'private'),
  Dns: {
    ...differs(
      'in a user-defined network they are asked for names of no box; elsewhere, those at IPv4 addresses alone',
      ['1.1.1.1', '9.9.9.9'],
      ({ spec: { network } }) => (network.kind === 'nic' ? network.nameservers : []),
    ),
    refused: [['2606:4700:4700::1111']],
  },
  DnsOptions: works(['ndots:2'], ({ spec: { network } }) =>
    network.kind === 'nic' ? network.options : [],
  ),
  DnsSearch: works(['example.com'], ({ spec: { network } }) =>
    network.kind === 'nic' ? network.search : [],
  ),
  ExtraHosts: differs(
    '`host-gateway` is the address of the host’s default route, and not of a bridge',
    ['a:1.2.3.4', 'b:fd00::1'],
    ({ spec }) => spec.hosts,
    [
      { name: 'a', address: '1.2.3.4' },
      { name: 'b', address: 'fd00::1' },
    ],
  ),
  GroupAdd: works(['audio', '42'], ({ spec }) => spec.confinement.groups),
  IpcMode: {
    ...differs(
      'private, also where it is shareable, since no other box has this kernel; `none` takes /dev/shm away, and is refused for a confidential box',
      'none',
      ({ record, spec }) => [record.security.ipcMode, spec.shmBytes],
      ['none', 0],
    ),
    refused: ['host', 'container:x'],
  },
  Cgroup: refused('x'),
  Links: {
    ...differs(
      'in a user-defined network, of the main one; in the default network by a network of their own, see [networks](boxes/networks.md#links-in-the-default-network)',
      ['other:alias'],
      ({ record: { links, endpoints } }) => [links, endpoints[0]?.links],
      [['other:alias'], ['other:alias']],
    ),
    besideHost: { NetworkMode: 'linked' },
  },
  OomScoreAdj: differs(
    'among the processes of the microVM',
    500,
    ({ spec }) => spec.confinement.oomScoreAdj,
  ),
  PidMode: refused('host'),
  Privileged: differs(
    'all capabilities and devices of the microVM, and none of the host’s; nothing protects the guest’s agent from such a box',
    true,
    ({ spec: { confinement } }) => [
      confinement.privileged,
      confinement.seccomp,
      confinement.maskedPaths.length + confinement.readonlyPaths.length,
      confinement.capabilities.length,
    ],
    [true, 'unconfined', 0, 41],
  ),
  PublishAllPorts: {
    ...works(
      true,
      ({ vm }) => vm.nic?.ports.map(({ boxPort, protocol }) => `${boxPort}/${protocol}`),
      ['53/udp'],
    ),
    beside: { ExposedPorts: { '53/udp': {} } },
  },
  ReadonlyRootfs: works(true, ({ spec }) => spec.rootfs.readonly),
  SecurityOpt: {
    ...differs(
      'labels of SELinux ask for nothing, and AppArmor can be unconfined alone: the guest’s kernel has neither',
      ['no-new-privileges', 'seccomp=unconfined', 'label=disable', 'apparmor=unconfined'],
      ({ spec: { confinement } }) => [confinement.noNewPrivileges, confinement.seccomp],
      [true, 'unconfined'],
    ),
    refused: [['apparmor=mine']],
  },
  StorageOpt: {
    ...differs(
      'size, from 32 MiB to 8 TiB, of the writable layer; nothing else',
      { size: '1G' },
      ({ record }) => record.storage?.bytes,
      2 ** 30,
    ),
    refused: [{ 'dm.basesize': '1G' }],
  },
  Tmpfs: {
    ...differs(
      'without device nodes, other propagation than private, and memory policies; half of the box’s memory where there is no size',
      { '/run': 'size=1m,mode=1770,exec' },
      ({ spec }) => spec.tmpfs,
      [
        {
          ...{ destination: '/run', readonly: false, sizeBytes: MIB, mode: 0o1770 },
          flags: ['exec'],
        },
      ],
    ),
    refused: [{ '/run': 'dev' }, { '/run': 'shared' }, { '/run': 'mpol=bind:0' }],
  },
  UTSMode: refused('host'),
  UsernsMode: {
    ...works('private', ({ record }) => record.security.usernsMode),
    refused: ['host'],
  },
  ShmSize: works(128 * MIB, ({ spec }) => spec.shmBytes),
  Sysctls: works({ 'net.core.somaxconn': '1024' }, ({ spec }) => spec.sysctls, [
    { path: 'net/core/somaxconn', value: '1024' },
  ]),
  Runtime: {
    ...differs(
      'there is one, a3s-box; runc, the name of Docker’s default, means the same, and is kept and shown',
      'runc',
      ({ record }) => record.security.runtime,
    ),
    refused: ['runsc', 'io.containerd.kata.v2'],
  },
  Isolation: {
    ...works('default', ({ record }) => record.security.isolation),
    refused: ['hyperv', 'process'],
  },
  MaskedPaths: works(['/proc/keys'], ({ spec }) => spec.confinement.maskedPaths),
  ReadonlyPaths: works([], ({ spec }) => spec.confinement.readonlyPaths),
};
