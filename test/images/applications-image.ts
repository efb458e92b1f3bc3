/**
 * A root filesystem of Debian with what the applications of `test/applications` are made of:
 * servers, languages and databases.
 *
 * It takes minutes, the network and mmdebstrap to make, and is kept in `build/cache` by its list of
 * packages.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { archiveSite, DEBIAN_CACHE } from '../debian/apt.ts';

const run = promisify(execFile);
const OUTPUT = 16 * 1024 * 1024;

const SUITE = 'trixie';
const PACKAGES = [
  ...['ca-certificates', 'curl', 'procps', 'netcat-openbsd', 'busybox-static'],
  ...['apache2', 'nginx-light', 'haproxy', 'lighttpd', 'memcached'],
  ...['libapache2-mod-php', 'php-cli', 'php-mysql', 'php-pgsql', 'php-redis', 'php-sqlite3'],
  ...['mariadb-server', 'postgresql', 'redis-server', 'sqlite3', 'mosquitto', 'mosquitto-clients'],
  ...['python3-flask', 'python3-django', 'gunicorn', 'python3-redis', 'python3-psycopg2'],
  ...['python3-pymysql', 'python3-pymemcache', 'python3-aiohttp'],
  ...['nodejs', 'node-express', 'node-redis', 'ruby-sinatra', 'ruby-rackup', 'puma', 'ruby-redis'],
  ...[
    'libdbd-sqlite3-perl',
    'libmojolicious-perl',
    'lua5.4',
    'prometheus',
    'prometheus-node-exporter',
  ],
];
/** What Dockerfiles call it: no registry is asked for what is in the store. */
export const APPLICATIONS_BASE = 'applications.example/debian:1';
/** Nobody reads them. */
const LEFT_OUT = ['doc', 'man', 'locale', 'info', 'i18n'].map((name) => `/usr/share/${name}/*`);

/** A plain tar, made where it is missing. */
export async function applicationsRoot(): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([SUITE, PACKAGES, LEFT_OUT]));
  const name = `applications-${hash.digest('hex').slice(0, 16)}.tar`;
  const path = join(DEBIAN_CACHE, SUITE, name);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const making = `${path}.new.tar`;
  rmSync(making, { force: true });
  const excluded = LEFT_OUT.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
  const options = ['--variant=minbase', '--quiet', `--include=${PACKAGES.join(',')}`, ...excluded];
  await run('mmdebstrap', [...options, SUITE, making, await archiveSite()], { maxBuffer: OUTPUT });
  renameSync(making, path);
  return path;
}
