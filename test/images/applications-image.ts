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
/** What Dockerfiles call it: no registry is asked for what is in the store. */
export const APPLICATIONS_BASE = 'applications.example/debian:1';

export function applicationsRoot(): Promise<string> {
  return debianRoot({ name: 'applications', packages: PACKAGES });
}
