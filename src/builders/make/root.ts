/**
 * The root of a builder: the programs of a Docker daemon, with the libraries that they load, and
 * little else.
 *
 * @module
 */
import { cp, lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { elfNeeded } from '../../boot/make/elf.ts';
import { runTool } from '../../boot/make/tool.ts';
import { A3sError } from '../../errors.ts';
import { KEPT_BYTES } from '../cache-size.ts';
import { GIT, GIT_PATH } from './git-script.ts';
import { GUARD, GUARD_PATH } from './guard-script.ts';
import { CARRY, CARRY_PATH, EMULATOR, START } from './start-script.ts';

const LIBRARIES = 'usr/lib/x86_64-linux-gnu';
const LOADER = `${LIBRARIES}/ld-linux-x86-64.so.2`;

/** What Debian's packages have of it. */
const PROGRAMS = [
  ...['usr/bin/busybox', 'usr/sbin/dockerd', 'usr/bin/containerd'],
  ...['usr/bin/containerd-shim-runc-v2', 'usr/sbin/runc', 'usr/sbin/xtables-nft-multi'],
  // No port is published, and without it dockerd routes 127.0.0.0/8 from its bridge.
  'usr/sbin/docker-proxy',
  // A context from a repository: what fetches, and what initialises submodules.
  ...['usr/bin/git', 'usr/lib/git-core/git-remote-http', 'usr/lib/git-core/git-submodule'],
  ...['usr/lib/git-core/git-sh-setup', 'usr/lib/git-core/git-sh-i18n'],
  // Steps of images for linux/arm64.
  EMULATOR.slice(1),
];
const OTHERS = [`${LIBRARIES}/xtables`, 'etc/protocols', 'etc/services', 'etc/ethertypes'];

const DIRECTORIES = [
  ...['dev', 'proc', 'run', 'sys', 'tmp', 'root', 'usr/sbin', 'usr/bin', 'usr/lib64'],
  ...['etc/docker', 'etc/ssl/certs', 'var/lib/docker'],
];

/** Where the builder's start puts the authority that it trusts. */
export const AUTHORITY_FILE = '/run/builder/authority.pem';

const LINKS: Readonly<Record<string, string>> = {
  ...{ bin: 'usr/bin', sbin: 'usr/sbin', lib: 'usr/lib', lib64: 'usr/lib64' },
  'usr/lib64/ld-linux-x86-64.so.2': '../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
  'usr/lib/git-core/git': '../../bin/git',
  [GIT_PATH]: '../lib/a3s-builder/git',
  'usr/lib/git-core/git-remote-https': 'git-remote-http',
  ...Object.fromEntries(
    ['iptables', 'iptables-save', 'iptables-restore', 'ip6tables', 'ip6tables-save']
      .concat('ip6tables-restore')
      .map((name) => [`usr/sbin/${name}`, 'xtables-nft-multi']),
  ),
  'etc/os-release': '../usr/lib/os-release',
  'etc/mtab': '/proc/self/mounts',
  // Where programs look by themselves.
  'etc/ssl/certs/ca-certificates.crt': AUTHORITY_FILE,
};

/** What the root has beside the files of packages. */
export const FILES: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  // The daemon gives its socket to this group.
  'etc/group': 'root:x:0:\ndocker:x:101:\n',
  'etc/docker/daemon.json': `${JSON.stringify({
    features: { 'containerd-snapshotter': true },
    // Without it, dockerd sets route_localnet on its bridge: a step could send packets to what
    // listens on 127.0.0.1 here.
    'userland-proxy': true,
    builder: { gc: { enabled: true, defaultKeepStorage: String(KEPT_BYTES) } },
  })}\n`,
  // What dockerd gives the containerd that it starts itself.
  'etc/containerd/config.toml': [
    'version = 2',
    'root = "/var/lib/docker/containerd/daemon"',
    'state = "/run/containerd"',
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    '',
  ].join('\n'),
  'usr/lib/os-release': 'ID=debian\nPRETTY_NAME="a3s-box builder, of Debian packages"\n',
  'usr/lib/a3s-builder/start': START,
  [CARRY_PATH.slice(1)]: CARRY,
  [GUARD_PATH.slice(1)]: GUARD,
  'usr/lib/a3s-builder/git': GIT,
};
const OF_PROGRAMS = 'usr/lib/a3s-builder/';

/** Makes it in an empty directory, of packages that were unpacked into another. */
export async function makeRoot(unpacked: string, root: string): Promise<void> {
  for (const path of DIRECTORIES) await mkdir(join(root, path), { recursive: true });
  const copied = new Set<string>();
  for (const path of [...PROGRAMS, LOADER]) await copyProgram({ unpacked, root, copied }, path);
  for (const path of OTHERS) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await cp(join(unpacked, path), join(root, path), { recursive: true, verbatimSymlinks: true });
  }
  for (const [path, target] of Object.entries(LINKS)) await symlink(target, join(root, path));
  for (const [path, content] of Object.entries(FILES)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    const mode = path.startsWith(OF_PROGRAMS) ? 0o755 : 0o644;
    await writeFile(join(root, path), content, { mode });
  }
  const applets = await runTool(join(unpacked, 'usr/bin/busybox'), ['--list'], {
    remedy: 'Use a Debian machine.',
  });
  for (const applet of applets.toString('utf8').split('\n').filter(Boolean)) {
    const path = join(root, 'usr/bin', applet);
    if ((await exists(path)) || (await exists(join(root, 'usr/sbin', applet)))) continue;
    await symlink('busybox', path);
  }
}

interface Copying {
  readonly unpacked: string;
  readonly root: string;
  readonly copied: Set<string>;
}

/** Copies a file, what it is a link to, and the libraries that it loads. */
async function copyProgram(copying: Copying, path: string): Promise<void> {
  const { unpacked, root, copied } = copying;
  if (copied.has(path)) return;
  copied.add(path);
  const source = join(unpacked, path);
  if (!(await exists(source))) throw missing(path);
  await mkdir(dirname(join(root, path)), { recursive: true });
  if ((await lstat(source)).isSymbolicLink()) {
    const target = await readlink(source);
    await symlink(target, join(root, path));
    await copyProgram(copying, join(dirname(path), target));
    return;
  }
  await cp(source, join(root, path));
  for (const library of elfNeeded(await readFile(source))) {
    await copyProgram(copying, join(LIBRARIES, basename(library)));
  }
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

function missing(path: string): A3sError {
  return new A3sError('internal', `Cannot make the builder: no package has /${path}`, {
    remedy: 'Report it: this release does not fit the packages of this Debian.',
  });
}
