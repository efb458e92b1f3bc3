import { expect, it } from 'vitest';
import { type BuiltFeatures, type JailHost, jailCommand, jailEnvironment } from './arguments.ts';
import type { JailProgram } from './jail.ts';

const host: JailHost = {
  nsenter: '/usr/bin/nsenter',
  prlimit: '/usr/bin/prlimit',
  setpriv: '/usr/bin/setpriv',
  taskset: '/usr/bin/taskset',
  bwrap: '/usr/bin/bwrap',
  roots: new Map([
    ['/lib', 'usr/lib'],
    ['/opt', undefined],
  ]),
  hardLimits: new Map([['nofile', 20_000]]),
};
const program: JailProgram = {
  path: '/usr/bin/tool',
  args: ['--flag', 'a b'],
  identity: { uid: 70_001, gid: 70_002 },
  stdio: [],
  writable: ['/run/box'],
  readable: ['/etc/resolv.conf'],
  network: false,
  outlives: true,
  limits: { openFiles: 64, fileBytes: 4096 },
};
const both: BuiltFeatures = { identity: true, namespaces: true, landlock: false };
const user: BuiltFeatures = { identity: false, namespaces: true, landlock: false };
const identityOnly: BuiltFeatures = { identity: true, namespaces: false, landlock: false };
const withLandlock: BuiltFeatures = { ...both, landlock: true };

const tree = [
  ...['--ro-bind', '/usr', '/usr'],
  ...['--symlink', 'usr/lib', '/lib'],
  ...['--ro-bind', '/opt', '/opt'],
  ...['--ro-bind-try', '/etc/ld.so.cache', '/etc/ld.so.cache'],
  ...['--ro-bind-try', '/etc/alternatives', '/etc/alternatives'],
  ...['--dev-bind', '/dev/null', '/dev/null'],
  ...['--dev-bind', '/dev/urandom', '/dev/urandom'],
];
const IN_DIRECTORY =
  'write-file,truncate,remove-file,remove-dir,make-reg,make-dir,make-sym,make-fifo,make-sock,refer';
const limits = ['--core=0', '--nofile=64', '--fsize=4096', '--'];
const handedOver = [
  ...['--ro-bind', '/etc/resolv.conf', '/etc/resolv.conf'],
  ...['--bind', '/run/box', '/run/box'],
];
const end = [
  ...['--remount-ro', '/proc', '--remount-ro', '/'],
  ...['--chdir', '/', '--', '/usr/bin/tool', '--flag', 'a b'],
];

it('marks the processes of a jail by a group instead of the groups of the user', () => {
  const command = jailCommand(host, both, { ...program, group: 0x7b12_3456 });
  expect(command).toContain(`--groups=${0x7b12_3456}`);
  expect(command).not.toContain('--clear-groups');
  expect(jailCommand(host, user, { ...program, group: 1 })).not.toContain('--groups=1');
});

it('holds a program with all its threads to one processor', () => {
  const command = jailCommand(host, both, { ...program, processor: 3 });
  const [taskset, flag, processor, next] = command.slice(command.indexOf('--') + 1);
  expect([taskset, flag, processor]).toEqual(['/usr/bin/taskset', '--cpu-list', '3']);
  expect(next).toBe('/usr/bin/setpriv');
  expect(jailCommand(host, both, program)).not.toContain('/usr/bin/taskset');
});

it('starts a program of root in a network namespace, and bounds its memory and threads', () => {
  const command = jailCommand(host, both, {
    ...{ ...program, network: true, networkNamespace: '/run/net/box' },
    limits: { openFiles: 64, dataBytes: 1024, processes: 16 },
  });
  expect(command.slice(0, 8)).toEqual([
    ...['/usr/bin/nsenter', '--net=/run/net/box', '--'],
    ...['/usr/bin/prlimit', '--core=0', '--nofile=64', '--data=1024', '--nproc=16'],
  ]);
  expect(command).toContain('--share-net');
});

it('bounds the processes of an ordinary user within the jail, where they are counted', () => {
  const bounded = { ...program, limits: { openFiles: 64, processes: 16 } };
  const asUser = jailCommand(host, user, bounded);
  expect(asUser.slice(0, 3)).toEqual(['/usr/bin/prlimit', '--core=0', '--nofile=64']);
  const own = [host.prlimit, '--nproc=16', '--', '/usr/bin/tool', '--flag', 'a b'];
  expect(asUser.slice(-6)).toEqual(own);
  expect(jailCommand(host, both, bounded)).toContain('--nproc=16');
  expect(jailCommand(host, both, bounded).slice(-own.length)).not.toEqual(own);
});

it('uses both jail features for root', () => {
  expect(jailCommand(host, both, program)).toEqual([
    '/usr/bin/prlimit',
    ...limits,
    '/usr/bin/setpriv',
    '--reuid=70001',
    '--regid=70002',
    '--clear-groups',
    '--bounding-set=-all',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--no-new-privs',
    '--',
    '/usr/bin/bwrap',
    '--unshare-user',
    '--unshare-all',
    '--disable-userns',
    '--new-session',
    '--as-pid-1',
    ...['--cap-drop', 'ALL'],
    ...tree,
    ...['--proc', '/proc'],
    ...handedOver,
    ...end,
  ]);
});

it('changes no user id for an ordinary user', () => {
  const command = jailCommand(host, user, program);
  expect(command.slice(5, 11)).toEqual([
    '/usr/bin/setpriv',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--no-new-privs',
    '--',
    '/usr/bin/bwrap',
  ]);
});

it('leaves out the namespaces where the kernel has none', () => {
  expect(jailCommand(host, identityOnly, program).slice(-4)).toEqual([
    '--',
    '/usr/bin/tool',
    '--flag',
    'a b',
  ]);
  expect(jailCommand(host, identityOnly, program)).not.toContain('/usr/bin/bwrap');
});

it('limits what a program makes and changes, in its namespaces or without them', () => {
  const limited: JailProgram = {
    ...{ ...program, writable: ['/run/box'], sockets: ['/run/sockets'], reopened: [5] },
    writableFiles: ['/run/list'],
    binds: [
      { source: '/srv', target: '/share', readonly: false },
      { source: '/srv/a', target: '/one', readonly: false, file: true },
      { source: '/srv/b', target: '/seen', readonly: true },
    ],
  };
  const rules = (command: readonly string[]): string[] =>
    command.flatMap((word) => /^--landlock-rule=path-beneath:(.*)$/.exec(word)?.[1] ?? []);
  const expected = [
    ...['/dev/null', '/dev/urandom', '/run/list', '/proc/self/fd/5', '/one'].map(
      (path) => `write-file,truncate:${path}`,
    ),
    ...['/run/box', '/share'].map((path) => `${IN_DIRECTORY}:${path}`),
    'make-sock,remove-file:/run/sockets',
  ];
  const inside = jailCommand(host, withLandlock, limited);
  expect(rules(inside)).toEqual(expected);
  const last = inside.lastIndexOf('/usr/bin/setpriv');
  expect(last).toBeGreaterThan(inside.indexOf('/usr/bin/bwrap'));
  const outside = jailCommand(host, { ...identityOnly, landlock: true }, limited);
  expect(rules(outside)).toEqual(expected);
  expect(outside.filter((word) => word === '/usr/bin/setpriv')).toHaveLength(1);
  for (const other of [{ confinesItself: true }, { rootCapabilities: [] }]) {
    expect(rules(jailCommand(host, withLandlock, { ...limited, ...other }))).toEqual([]);
  }
});

it('ties a program that must not outlive this process to its parent, where no child is left behind', () => {
  const dies = { ...program, outlives: false };
  const options = (command: readonly string[]): readonly string[] =>
    command.filter((word) => /^--(?:pdeathsig=KILL|die-with-parent)$/.test(word));
  expect(options(jailCommand(host, both, dies))).toEqual(['--die-with-parent']);
  expect(options(jailCommand(host, identityOnly, dies))).toEqual(['--pdeathsig=KILL']);
  expect(options(jailCommand(host, both, { ...dies, outlives: true }))).toEqual([]);
});

it('lets a network program keep the network, and nest namespaces when it confines itself', () => {
  const command = jailCommand(host, both, { ...program, network: true, confinesItself: true });
  expect(command).toContain('--share-net');
  expect(command).not.toContain('--disable-userns');
  expect(command.join(' ')).toContain('--dir /tmp');
});

it('grants one capability for low ports, and drops the namespaces that would void it', () => {
  const command = jailCommand(host, both, { ...program, lowPorts: true });
  expect(command).toContain('--bounding-set=-all,+net_bind_service');
  expect(command).toContain('--ambient-caps=-all,+net_bind_service');
  expect(command).not.toContain('/usr/bin/bwrap');
});

it('keeps user id 0 for a file server of root, with its listed capabilities alone', () => {
  const server: JailProgram = {
    ...program,
    rootCapabilities: ['chown', 'setuid'],
    binds: [{ source: '/srv', target: '/share', readonly: true }],
  };
  const asRoot = jailCommand(host, both, server);
  expect(asRoot).not.toContain('--reuid=70001');
  expect(asRoot).toContain('--bounding-set=-all,+chown,+setuid,+sys_admin,+net_admin,+setpcap');
  expect(asRoot).not.toContain('--unshare-user');
  expect(asRoot.join(' ')).toContain('--cap-drop ALL --cap-add CAP_CHOWN --cap-add CAP_SETUID');
  expect(asRoot.join(' ')).toContain('--ro-bind /srv /share');
  const held = { ...server, binds: [{ source: 3, target: '/share', readonly: true }] };
  expect(jailCommand(host, both, held).join(' ')).toContain('--ro-bind-fd 3 /share');
  const asUser = jailCommand(host, user, server).join(' ');
  expect(asUser).toContain('--unshare-user --unshare-all --disable-userns --uid 0 --gid 0');
});

it('requests no limit above the hard limit of this process', () => {
  const command = jailCommand(host, both, { ...program, limits: { openFiles: 1_000_000 } });
  expect(command).toContain('--nofile=20000');
});

it('passes no environment variable of this process on', () => {
  expect(jailEnvironment(program)).toEqual({ PATH: '/usr/sbin:/usr/bin', LC_ALL: 'C.UTF-8' });
  expect(jailEnvironment({ ...program, temporaryDirectory: '/t' })).toMatchObject({ TMPDIR: '/t' });
});
