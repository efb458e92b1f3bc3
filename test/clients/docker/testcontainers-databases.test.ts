/**
 * PostgreSQL and redis as the modules of testcontainers run them: content that is copied in before
 * the start, filesystems in memory, readiness by the log, and an image that is made of a box.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from '../../e2e/actor.ts';
import { type Installation, install } from '../../e2e/installation.ts';
import { scaled } from '../../e2e/time-scale.ts';
import { buildImage, dockerArchive } from '../../images/build-image.ts';
import { CLUSTER, databaseImage, SOCKETS } from '../../images/database-image.ts';
import { type Overheard, overhear } from './overheard.ts';

const IMAGE = 'localhost/a3s/databases:1';
const STARTUP_MS = scaled(240_000);
const SCRIPT = '/srv/init.sql';
const PSQL = ['psql', '-U', 'postgres', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'];
const POSTGRES = `postgres -D ${CLUSTER} -k ${SOCKETS} -c jit=off -c shared_buffers=16MB &
  until pg_isready -q; do sleep 0.1; done
  ${PSQL.join(' ')} -f ${SCRIPT} && echo initialised; wait`;

let installation: Installation;
let actor: Actor;
let overheard: Overheard;
const before = { ...process.env };
beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  await actor.prepare();
  const archive = join(actor.directory, 'image.tar');
  const image = buildImage(await databaseImage(IMAGE));
  writeFileSync(archive, dockerArchive([image]), { mode: 0o644 });
  await actor.ok(['load', '-q', '-i', archive], { deadlineMs: STARTUP_MS });
  rmSync(archive);
  overheard = await overhear(actor.socket);
  Object.assign(process.env, {
    DOCKER_HOST: `unix://${overheard.socket}`,
    TESTCONTAINERS_RYUK_DISABLED: 'true',
    TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
  });
}, scaled(600_000));
afterAll(async () => {
  process.env = before;
  await overheard.stop();
  await actor.leave();
  installation.remove();
  expect(actor.remains()).toEqual([]);
  expect(overheard.wrong).toEqual([]);
});

const output = async (box: StartedTestContainer, command: string[]): Promise<string> => {
  const done = await box.exec(command);
  expect(done).toMatchObject({ exitCode: 0, stderr: '' });
  return done.stdout.trimEnd();
};

describe('testcontainers', () => {
  it('runs PostgreSQL with a script that it copies in, and makes an image of it', async () => {
    const select = [...PSQL, '-c', 'select name from things order by name'];
    const started = await new GenericContainer(IMAGE)
      .withCommand(['sh', '-c', POSTGRES])
      .withNetworkMode('none')
      .withCopyContentToContainer([
        {
          content: "create table things (name text); insert into things values ('copied');",
          target: SCRIPT,
          mode: 0o644,
        },
      ])
      .withTmpFs({ '/var/run/memory': 'rw,size=16m,mode=1777' })
      .withStartupTimeout(STARTUP_MS)
      .withWaitStrategy(Wait.forLogMessage('initialised'))
      .start();
    expect(await output(started, select)).toBe('copied');
    const where = ['sh', '-c', 'touch /var/run/memory/x && stat -f -c %T /var/run/memory'];
    expect(await output(started, where)).toBe('tmpfs');
    await started.copyContentToContainer([{ content: 'later\n', target: '/srv/later' }]);
    expect(await output(started, ['cat', '/srv/later'])).toBe('later');
    await output(started, [...PSQL, '-c', "insert into things values ('written'); checkpoint"]);
    const image = await started.commit({ repo: 'team/things', tag: '1', deleteOnExit: false });
    expect(image).toMatch(/^sha256:/);
    await started.stop();
    // It recovers as after a crash: the box ran when the image was made.
    const again = await new GenericContainer('team/things:1')
      .withCommand(['postgres', '-D', CLUSTER, '-k', SOCKETS, '-c', 'jit=off'])
      .withNetworkMode('none')
      .withStartupTimeout(STARTUP_MS)
      .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections'))
      .start();
    expect(await output(again, select)).toBe('copied\nwritten');
    expect(await output(again, ['cat', '/srv/later'])).toBe('later');
    await again.stop();
  });

  it('runs redis with a configuration that it copies in, and its files in memory', async () => {
    const started = await new GenericContainer(IMAGE)
      .withCommand(['redis-server', '/srv/redis.conf'])
      .withExposedPorts(6379)
      .withCopyContentToContainer([
        {
          content: 'requirepass secret\nprotected-mode no\ndir /data\nappendonly yes\n',
          target: '/srv/redis.conf',
          mode: 0o644,
        },
      ])
      .withTmpFs({ '/data': 'rw,size=32m,mode=1777' })
      .withStartupTimeout(STARTUP_MS)
      .withWaitStrategy(
        Wait.forAll([Wait.forListeningPorts(), Wait.forLogMessage('Ready to accept connections')]),
      )
      .start();
    const cli = ['redis-cli', '--no-auth-warning', '-a', 'secret'];
    expect(await output(started, [...cli, 'set', 'key', 'value'])).toBe('OK');
    expect(await output(started, [...cli, 'get', 'key'])).toBe('value');
    expect((await started.exec(['redis-cli', 'get', 'key'])).stdout).toContain('NOAUTH');
    await started.stop();
    expect(await actor.ok(['ps', '--all', '-q'])).toBe('');
  });
});
