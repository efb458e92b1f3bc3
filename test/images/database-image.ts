/**
 * An image of PostgreSQL and redis, from Debian's packages, with a database cluster in it.
 *
 * Set-up makes it once, in a minute, and keeps it in `build/cache`. Nothing is installed on this
 * machine.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Apt, DEBIAN_CACHE } from '../debian/apt.ts';
import type { ImageSpec } from './build-image.ts';

const run = promisify(execFile);

const SUITE = 'trixie';
const PACKAGES = ['postgresql-17', 'redis-server', 'busybox-static'];
const PLACE = join(DEBIAN_CACHE, SUITE, 'databases');
/** Half of what the packages have: PostgreSQL needs LLVM only to compile queries. */
const LEFT_OUT = [
  ...['./usr/share/doc', './usr/share/man', './usr/share/locale', './usr/share/i18n'],
  ...[
    './usr/share/perl*',
    './usr/lib/*/perl*',
    '*/libLLVM*',
    '*/libz3*',
    '*/llvmjit*',
    '*/bitcode',
  ],
];
const PROGRAMS = 'PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin';
/** Debian's packages give theirs when they are installed. */
const USER = 70;

/** Where the databases are, in the image and in a box. */
export const CLUSTER = '/srv/postgres';
export const REDIS = '/srv/redis';
/** Where they have their sockets. */
export const SOCKETS = '/tmp';

/** Its only process is PostgreSQL; `redis-server` is there for an `exec`. */
export async function databaseImage(name: string): Promise<ImageSpec> {
  if (!existsSync(PLACE)) {
    throw new Error(`${PLACE} is missing: run bash scripts/setup.sh --tests first`);
  }
  return {
    name,
    layers: ['system.tar', 'data.tar'].map((layer) => readFileSync(join(PLACE, layer))),
    compression: 'none',
    config: {
      Cmd: ['postgres', '-D', CLUSTER, '-k', SOCKETS],
      Env: [PROGRAMS, 'LC_ALL=C', `PGHOST=${SOCKETS}`],
      User: `${USER}:${USER}`,
      // A quick and clean end: it waits for no client.
      StopSignal: 'SIGINT',
    },
  };
}

/** Makes the layers of the image, which takes the network. Where they are, nothing is done. */
export async function makeDatabaseLayers(): Promise<void> {
  if (existsSync(PLACE)) return;
  const making = `${PLACE}.new`;
  const root = join(making, 'root');
  rmSync(making, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  const apt = await Apt.of(SUITE, [SUITE]);
  const debs = await apt.download(PACKAGES, 'databases');
  for (const deb of debs) await unpack(deb, root);
  await addSystem(root);
  await archive(root, '.', join(making, 'system.tar'), 0);
  await addData(root);
  await archive(root, `.${dirname(CLUSTER)}`, join(making, 'data.tar'), USER);
  rmSync(root, { recursive: true });
  renameSync(making, PLACE);
  for (const directory of new Set(debs.map(dirname))) rmSync(directory, { recursive: true });
}

async function unpack(deb: string, root: string): Promise<void> {
  const excluded = LEFT_OUT.map((pattern) => `'--exclude=${pattern}'`).join(' ');
  const script = `dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --no-same-owner ${excluded}`;
  await run('bash', ['-o', 'pipefail', '-c', script, 'unpack', deb, root]);
}

/** What Debian's base system would have. */
async function addSystem(root: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  for (const name of ['dev', 'proc', 'run', 'sys', 'tmp']) mkdirSync(join(root, name));
  chmodSync(join(root, 'tmp'), 0o1777);
  const { stdout } = await run(join(root, 'usr/bin/busybox'), ['--list']);
  for (const applet of stdout.split('\n').filter(Boolean)) {
    const path = join(root, 'usr/bin', applet);
    if (!existsSync(path)) symlinkSync('busybox', path);
  }
  const user = `postgres:x:${USER}:${USER}::${CLUSTER}:/bin/sh\n`;
  writeFileSync(join(root, 'etc/passwd'), `root:x:0:0:root:/root:/bin/sh\n${user}`);
  writeFileSync(join(root, 'etc/group'), `root:x:0:\npostgres:x:${USER}:\n`);
}

/** With checksums of pages, so that a check of the files shows a torn write. */
async function addData(root: string): Promise<void> {
  mkdirSync(join(root, dirname(CLUSTER)));
  for (const path of [CLUSTER, REDIS]) mkdirSync(join(root, path), { mode: 0o700 });
  // No root: initdb refuses it.
  const jail = [
    ...['--unshare-all', '--uid', String(USER), '--gid', String(USER), '--bind', root, '/'],
    ...['--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp'],
    ...['--clearenv', '--setenv', ...PROGRAMS.split('=')],
  ];
  const cluster = ['-D', CLUSTER, '-U', 'postgres', '-A', 'trust', '--no-locale', '-E', 'UTF8'];
  const files = ['--data-checksums', '--wal-segsize=1', '--no-sync'];
  await run('bwrap', [...jail, 'initdb', ...cluster, ...files]);
}

async function archive(root: string, path: string, to: string, owner: number): Promise<void> {
  const owned = [`--owner=${owner}`, `--group=${owner}`, '--numeric-owner'];
  await run('tar', ['-c', '-f', to, '-C', root, ...owned, path]);
}
