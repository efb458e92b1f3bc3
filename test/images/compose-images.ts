/**
 * Images by the names that docs/boxes/compose.md has, made of Debian packages, with entrypoints
 * that do what is asked there of those of Docker Hub.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { type BuiltImage, buildImage, type TarFile } from './build-image.ts';
import { CLUSTER, databaseImage } from './database-image.ts';
import { debianRoot } from './debian-root.ts';

const DATA = '/var/lib/postgresql/data';
/** A new directory gets a database whose superuser has the password of the file. */
const POSTGRES = `#!/bin/sh
set -e
if ! test -s ${DATA}/PG_VERSION; then
  cp -a ${CLUSTER}/. ${DATA}
  echo 'host all all all scram-sha-256' > ${DATA}/pg_hba.conf
  echo "ALTER USER postgres PASSWORD '$(cat "$POSTGRES_PASSWORD_FILE")'" |
    postgres --single -D ${DATA} postgres > /dev/null
fi
exec postgres -D ${DATA} -k /tmp -c listen_addresses='*' -c shared_buffers=16MB -c jit=off
`;

/** What was cached by `makeDatabaseLayers` is needed. */
export async function composeImages(): Promise<readonly BuiltImage[]> {
  const { config, ...database } = await databaseImage('postgres:17');
  const [uid = 0] = (config?.User ?? '').split(':').map(Number);
  const own: readonly TarFile[] = [
    { path: 'entrypoint.sh', mode: 0o755, data: POSTGRES },
    { path: DATA.slice(1), type: 'directory', mode: 0o700, uid, gid: uid },
  ];
  const postgres = {
    ...database,
    layers: [...database.layers, own],
    config: { ...config, Entrypoint: ['/entrypoint.sh'], Cmd: [] },
  };
  const redis = {
    ...database,
    name: 'redis:7',
    config: { ...config, Cmd: ['redis-server', '--protected-mode', 'no', '--dir', '/tmp'] },
  };
  const python = {
    name: 'python:3-slim',
    layers: [readFileSync(await pythonRoot())],
    compression: 'none' as const,
    config: { Env: ['PATH=/usr/local/bin:/usr/bin:/bin'], Cmd: ['python3'] },
  };
  return [postgres, redis, python].map((image) => buildImage(image));
}

/** Its `pip` finds installed what it is asked for. */
function pythonRoot(): Promise<string> {
  return debianRoot({
    name: 'python',
    packages: ['python3', 'python3-psycopg2', 'python3-redis'],
    hooks: [
      'mkdir -p "$1/usr/local/bin"',
      'ln -s /bin/true "$1/usr/local/bin/pip"',
      'cd "$1" && rm -rf usr/lib/python3*/test usr/share/zoneinfo',
    ],
  });
}
