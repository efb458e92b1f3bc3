/**
 * A root filesystem of Debian with what the applications of `test/applications` are made of:
 * servers, languages and databases.
 *
 * @module
 */
import { debianRoot } from './debian-root.ts';

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
/**
 * What none of them needs, half of all files: a builder takes the image in file by file, and is
 * slow at that where it is emulated. PostgreSQL needs LLVM only to compile queries; what Node.js
 * has beside a server is for browsers, compilers and types.
 */
const NODE = [
  'core-js*',
  '@types',
  '@babel',
  'es-abstract',
  'lodash*',
  'caniuse-lite',
  '@popperjs',
];
const NODE_TOO = ['regenerate-*', 'bootstrap', 'async-es', 'neo-async', 'istanbul*', 'corepack'];
const LEFT_OUT = [
  ...['usr/lib/*/libLLVM*', 'usr/lib/*/libz3*', 'usr/lib/postgresql/*/lib/{bitcode,llvmjit*}'],
  ...[...NODE, ...NODE_TOO].map((name) => `usr/share/nodejs/${name}`),
  ...['usr/share/javascript/moment*', 'usr/share/lintian', 'usr/share/man', 'usr/bin/promtool'],
  ...[
    'usr/lib/python3*/test',
    'usr/lib/python3/dist-packages/django/{conf,contrib/*}/locale/[a-df-z]*',
  ],
];

/** What Dockerfiles call it: no registry is asked for what is in the store. */
export const APPLICATIONS_BASE = 'applications.example/debian:1';

export function applicationsRoot(): Promise<string> {
  const remove = `cd "$1" && bash -c 'rm -r ${LEFT_OUT.join(' ')}'`;
  return debianRoot({ name: 'applications', packages: PACKAGES, hooks: [remove] });
}
