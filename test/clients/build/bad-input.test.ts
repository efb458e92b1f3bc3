import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type LookupFunction, type Server } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CACHE_BYTES } from '../../../src/builders/cache-size.ts';
import { openRegistry } from '../../../src/registry/open-registry.ts';
import { until } from '../../e2e/processes.ts';
import { SOAK } from '../../e2e/soak.ts';
import { BASE, BuildHome, type Ran } from './home.ts';

/** In `npm test`; the soak takes as many as a large project has. */
const MANY = SOAK ? 100_000 : 2_000;
const LONG_MS = 600_000;
const MIB = 1024 * 1024;
/** Steps of a file that grows: 64 MiB. */
const MOST_GROWTH = 512;

let build: BuildHome;

/** One that takes connections alone, and one that answers nothing but that it is a registry. */
const silent = createServer((connection) => connection.on('error', () => undefined));
const hanging = createHttp(({ url }, response) => {
  if (url === '/v2/') response.end('{}');
});
const portOf = (server: Server): number => (server.address() as AddressInfo).port;

beforeAll(async () => {
  for (const server of [silent, hanging]) await once(server.listen(0, '127.0.0.1'), 'listening');
  build = await BuildHome.start(
    ({ home, directory }) => {
      const settings = join(directory, 'registries.yaml');
      const insecure = [silent, hanging].map(
        (each) => `"a.test:${portOf(each)}": { insecure: true }`,
      );
      writeFileSync(settings, `registries: { ${insecure.join(', ')} }\n`);
      const limits = { connectMs: 500, headersMs: 500, backoffMs: 1 };
      const lookup: LookupFunction = (_name, _options, found) =>
        found(null, [{ address: '127.0.0.1', family: 4 }]);
      const files = { certsDirectories: [], registriesFiles: [settings] };
      home.registry = openRegistry({ ...files, limits, lookup });
      // The builder has all files of a large context twice: a disk is removed at once.
    },
    { diskBytes: CACHE_BYTES },
  );
});
afterAll(async () => {
  await build?.remove();
  hanging.closeAllConnections();
  for (const server of [silent, hanging]) server.close();
}, LONG_MS);

function succeeded(ran: Ran): void {
  expect(ran, `${ran.stdout}${ran.stderr}`).toMatchObject({ status: 0 });
}

/** One line says why, and the next build is as good as any. */
async function failed(ran: Ran, reason: RegExp): Promise<void> {
  expect(ran.status, ran.stderr).not.toBe(0);
  expect(ran.stderr).toMatch(reason);
  await until('the builder is released', () => build.service.uses() === 0);
  succeeded(await build.docker(['build', build.context(BASE)]));
}

const files = (dockerfile: string): string => build.context(`FROM scratch\n${dockerfile}`);
const into = (out: string) => ['build', '--output', `type=local,dest=${out}`];

it('takes links of the context as they are, and follows none out of it', async () => {
  const context = files('COPY . /all\n');
  symlinkSync('/etc/hostname', join(context, 'out'));
  symlinkSync('../../../../../..', join(context, 'up'));
  const out = join(build.directory, 'links');
  succeeded(await build.docker([...into(out), context]));
  expect(lstatSync(join(out, 'all/out')).isSymbolicLink()).toBe(true);
  expect(readlinkSync(join(out, 'all/up'))).toBe('../../../../../..');
  for (const source of ['out', 'up/etc/hostname']) {
    const named = files(`COPY ${source} /file\n`);
    symlinkSync('/etc/hostname', join(named, 'out'));
    symlinkSync('../../../../../..', join(named, 'up'));
    await failed(await build.docker(['build', named]), /^ERROR: .*not found/m);
  }
});

it('ends a build whose context has devices, pipes and sockets', async () => {
  const context = files('COPY . /all\n');
  execFileSync('mknod', [join(context, 'null'), 'c', '1', '3']);
  execFileSync('mkfifo', [join(context, 'pipe')]);
  const socket = createServer().listen(join(context, 'socket'));
  try {
    succeeded(await build.docker(['build', '-t', 'special:1', context]));
  } finally {
    socket.close();
  }
});

it(
  `builds from a context of ${MANY} files`,
  async () => {
    const context = files('COPY many /many\n');
    for (let directory = 0; directory < MANY / 1000; directory += 1) {
      const path = join(context, 'many', String(directory));
      mkdirSync(path, { recursive: true });
      for (let n = 0; n < 1000; n += 1) writeFileSync(join(path, `${n}`), `${n}`);
    }
    const tar = join(build.directory, 'many.tar');
    succeeded(await build.docker(['build', '--output', `type=tar,dest=${tar}`, context]));
    const list = execFileSync('tar', ['-tf', tar], { encoding: 'utf8', maxBuffer: 16 * MIB });
    expect(list.match(/^many\/\d+\/\d+$/gm)).toHaveLength(MANY);
  },
  LONG_MS,
);

it('ends a build whose context changes while it is read', async () => {
  const context = files('COPY . /all\n');
  const path = join(context, 'growing');
  writeFileSync(path, Buffer.alloc(16 * MIB));
  let ended = false;
  const building = build.docker(['build', context]).finally(() => {
    ended = true;
  });
  // A file that grew for ever could grow faster than it is read.
  for (let n = 0; n < MOST_GROWTH && !ended; n += 1) {
    await appendFile(path, Buffer.alloc(MIB / 8));
    await delay(1);
  }
  const ran = await building;
  if (ran.status !== 0) expect(ran.stderr).toMatch(/^ERROR: /m);
  succeeded(await build.docker(['build', build.context(BASE)]));
});

it.each([
  ['completes no connection', silent],
  ['answers nothing', hanging],
])('fails a build in one line whose registry %s', async (_, registry) => {
  const from = `FROM a.test:${portOf(registry)}/hangs:1\nENV A=b\n`;
  const words = /^ERROR: .*: Cannot reach a\.test:\d+: [a-z ]+ took too long/m;
  await failed(await build.docker(['build', build.context(from)]), words);
});

it('refuses a Dockerfile of 10 MB in one line', async () => {
  const comments = `# ${'x'.repeat(997)}\n`.repeat(10_000);
  const ran = await build.docker(['build', build.context(`${comments}${BASE}`)]);
  await failed(ran, /^ERROR: .*larger than max \(\d+ vs\. 4194304\)/m);
});

it(
  'fails a build in one line at whatever moment its builder ends',
  async () => {
    const builder = (await build.service.builders.use('default')).builder as {
      dial: (signal?: AbortSignal) => Promise<Duplex>;
    };
    const dial = builder.dial.bind(builder);
    let outcomes = 0;
    try {
      for (let moment = 1; ; moment *= 2) {
        let chunks = 0;
        builder.dial = async (signal) => {
          const connection = await dial(signal);
          connection.on('data', () => {
            chunks += 1;
            if (chunks === moment) build.service.cut();
          });
          return connection;
        };
        const ran = await build.docker(['build', '--no-cache', build.context(BASE)]);
        if (chunks < moment) {
          succeeded(ran);
          break;
        }
        outcomes += 1;
        // The last bytes may be those after the result.
        if (ran.status !== 0) expect(ran.stderr, `after ${moment} chunks`).toMatch(/^ERROR: /m);
      }
    } finally {
      builder.dial = dial;
    }
    expect(outcomes).toBeGreaterThan(3);
    succeeded(await build.docker(['build', build.context(BASE)]));
  },
  LONG_MS,
);
