import type { ChildProcess } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, dockerArchive } from '../images/build-image.ts';
import { CLUSTER, databaseImage, REDIS, SOCKETS } from '../images/database-image.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { scaled } from './time-scale.ts';

const IMAGE = 'localhost/a3s/databases:1';
const KILLS = 20;
const WRITERS = [1, 2, 3];
const POSTGRES = [
  ...['postgres', '-D', CLUSTER, '-k', SOCKETS, '-c', 'listen_addresses=', '-c', 'jit=off'],
  // Checkpoints come often, so that kills cut some off, and pages are logged anew after each.
  ...['-c', 'shared_buffers=16MB', '-c', 'max_wal_size=4MB', '-c', 'min_wal_size=2MB'],
];
const PSQL = ['psql', '-U', 'postgres', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'];
const REDIS_SERVER = [
  ...['redis-server', '--dir', REDIS, '--appendonly', 'yes', '--appendfsync', 'always'],
  ...['--port', '0', '--unixsocket', `${SOCKETS}/redis`],
];
const READY = 'until pg_isready -q; do sleep 0.1; done';
const REDIS_CLI = ['redis-cli', '-s', `${SOCKETS}/redis`];
/** More than a client gets done until it is killed. */
const MOST_ROWS = 50_000;
/** Each row fills some of a page of 8 KiB. */
const PAYLOAD = (n: string): string => `repeat(md5(${n}::text), 20)`;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** A client in the box, which prints each number once the server has acknowledged it. */
class Client {
  readonly ended: Promise<unknown>;
  readonly #lines: string[] = [];
  #rest = '';

  constructor(child: ChildProcess, input: string) {
    const take = (chunk: Buffer): void => {
      const lines = `${this.#rest}${chunk}`.split('\n');
      this.#rest = lines.pop() ?? '';
      this.#lines.push(...lines);
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    // Its server is killed before it has read all.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    this.ended = new Promise((resolve) => child.on('close', resolve));
  }

  /** The last number that arrived on this host; its last line may be about its lost server. */
  get acknowledged(): number {
    return Number(this.#lines.findLast((line) => /^\d+$/.test(line)) ?? 0);
  }
}

/** One box for both, which is started again after each kill. */
describe.each(ANY_ACTOR)('databases of %s with their files on disk volumes', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    const archive = join(actor.directory, 'image.tar');
    const image = buildImage(await databaseImage(IMAGE));
    writeFileSync(archive, dockerArchive([image]), { mode: 0o644 });
    await actor.ok(['load', '-q', '-i', archive], { deadlineMs: 240_000 });
    rmSync(archive);
    for (const volume of ['postgres', 'redis']) {
      await actor.ok(['volume', 'create', '--opt', 'type=disk', '--opt', 'size=512m', volume]);
    }
    const volumes = ['-v', `postgres:${CLUSTER}`, '-v', `redis:${REDIS}`];
    const box = ['--name', 'db', '--network', 'none', ...volumes];
    await actor.ok(['run', '-d', ...box, IMAGE, ...POSTGRES], { deadlineMs: 240_000 });
    await ready();
    await query('create table rows (writer int, n int, payload text, primary key (writer, n))');
  }, scaled(900_000));
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  const exec = (command: readonly string[]) => actor.ok(['exec', 'db', ...command]);
  const query = (sql: string) => exec([...PSQL, '-c', sql]);
  const client = (command: readonly string[], input: string) =>
    new Client(actor.start(['exec', '-i', 'db', ...command]), input);
  const ready = async (): Promise<void> => {
    const { code } = await actor.run(['exec', 'db', 'sh', '-c', READY]);
    if (code !== 0) throw new Error((await actor.run(['logs', 'db'])).stderr);
  };
  const killVmm = async (): Promise<void> => {
    for (const { pid } of actor.vmms()) process.kill(pid, 'SIGKILL');
    await actor.ok(['wait', 'db']);
  };
  const numbers = (from: number, line: (n: number) => string): string =>
    Array.from({ length: MOST_ROWS }, (_, index) => `${line(from + index)}\n`).join('');
  /** psql says a number to its standard error, unbuffered, when COMMIT has returned. */
  const insert = (writer: number, from: number) =>
    client(
      PSQL,
      numbers(from, (n) => {
        const row = `(${writer}, ${n}, ${PAYLOAD(String(n))})`;
        return `begin; insert into rows values ${row}; commit; \\warn ${n}`;
      }),
    );
  /** Rows of the writer from 1 to `last` that are there and whole. */
  const kept = async (writer: number, last: number) =>
    Number(
      await query(
        `select count(*) from rows where writer = ${writer} and n between 1 and ${last} and payload = ${PAYLOAD('n')}`,
      ),
    );

  it('boxes lose no list entry that redis with an append-only file acknowledged', async () => {
    const server = client(REDIS_SERVER, '');
    const answers = ['sh', '-c', `until ${REDIS_CLI.join(' ')} ping; do sleep 0.1; done`];
    await exec(answers);
    // The answer is the new length, which is the number that was appended.
    const pushes = client(
      REDIS_CLI,
      numbers(1, (n) => `rpush list ${n}`),
    );
    await until('redis has acknowledged some', () => pushes.acknowledged > 200);
    await killVmm();
    await Promise.all([server.ended, pushes.ended]);
    await actor.ok(['start', 'db']);
    const again = client(REDIS_SERVER, '');
    await exec(answers);
    const list = (await exec([...REDIS_CLI, 'lrange', 'list', '0', '-1'])).split('\n').map(Number);
    expect(list).toEqual(list.map((_, index) => index + 1));
    expect(list.length).toBeGreaterThanOrEqual(pushes.acknowledged);
    await exec([...REDIS_CLI, 'shutdown']);
    await again.ended;
    await ready();
  });

  it.each(Array.from({ length: KILLS }, (_, index) => index + 1))(
    'boxes lose no row that PostgreSQL has committed: kill %i of the VMM',
    async (kill) => {
      const starts = await Promise.all(
        WRITERS.map((writer) =>
          query(`select coalesce(max(n), 0) from rows where writer = ${writer}`),
        ),
      );
      const clients = WRITERS.map((writer, at) => insert(writer, Number(starts[at]) + 1));
      const wanted = 20 + Math.floor(Math.random() * 150);
      await until('each client has committed some rows', () =>
        clients.every(({ acknowledged }, at) => acknowledged >= Number(starts[at]) + wanted),
      );
      await killVmm();
      await Promise.all(clients.map(({ ended }) => ended));
      await actor.ok(['start', 'db']);
      await ready();
      const recoveries = (await actor.run(['logs', 'db'])).stderr.match(
        /automatic recovery in progress/g,
      );
      // With the one of the test before.
      expect(recoveries).toHaveLength(kill + 1);
      for (const [at, { acknowledged }] of clients.entries()) {
        expect(await kept(WRITERS[at] ?? 0, acknowledged)).toBe(acknowledged);
      }
    },
  );

  it('boxes leave an index that fits its table, and no torn page', async () => {
    await query('create extension amcheck');
    await query("select bt_index_check('rows_pkey', true)");
    await actor.ok(['stop', 'db']);
    const check = ['pg_checksums', '--check', '-D', CLUSTER];
    const box = ['--rm', '--network', 'none', '-v', `postgres:${CLUSTER}`];
    expect(await actor.ok(['run', ...box, IMAGE, ...check])).toMatch(/Bad checksums: +0\n/);
  });
});
