/**
 * An application in three tiers, nginx, a program and two databases, over two networks of which one
 * is internal: driven by our command line, and by Docker's. It takes minutes, so only a soak runs
 * it.
 */
import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker } from '../../../src/server/testing/docker.ts';
import { Actor } from '../../e2e/actor.ts';
import { type Installation, install } from '../../e2e/installation.ts';
import { until } from '../../e2e/processes.ts';
import { scaled } from '../../e2e/time-scale.ts';
import { tiersRoot } from '../../images/tiers-image.ts';

const IMAGE = 'localhost/a3s/tiers:1';
const IMPORT_MS = scaled(600_000);
const TEST_MS = scaled(600_000);
/** Of an answer that comes later, while a tier comes back. */
const LATER = { interval: 250 };
/** An address of the host that only its loopback device has meanwhile: the world outside. */
const OUTSIDE = '198.51.100.80';
const PLACE = join(import.meta.dirname, 'tiers');

const REDIS = ['redis-server', '--bind', '0.0.0.0', '--protected-mode', 'no', '--save', ''];
const NGINX = `sed "s/RESOLVER/$(awk '/^nameserver/ { print $2; exit }' /etc/resolv.conf)/" /tiers/nginx.conf > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf -g 'daemon off;'`;

let installation: Installation;
let actor: Actor;
const servers: Server[] = [];
/** Ports of the world outside: one that the policy allows, and another one. */
let allowed = 0;
let refused = 0;

beforeAll(async () => {
  const root = await tiersRoot();
  execFileSync('ip', ['addr', 'add', `${OUTSIDE}/32`, 'dev', 'lo']);
  [allowed = 0, refused = 0] = [await listening(), await listening()];
  installation = await install();
  actor = new Actor('root', installation);
  await actor.prepare();
  await actor.ok(['import', root, IMAGE], { deadlineMs: IMPORT_MS });
}, IMPORT_MS);

afterAll(async () => {
  await actor.leave();
  expect(actor.remains()).toEqual([]);
  installation.remove();
  for (const server of servers) server.close();
  execFileSync('ip', ['addr', 'del', `${OUTSIDE}/32`, 'dev', 'lo']);
});

async function listening(): Promise<number> {
  const server = createServer((_, response) => response.end('outside'));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, OUTSIDE, resolve));
  return (server.address() as AddressInfo).port;
}

interface CommandLine {
  /** A command that succeeds, and what it prints. */
  readonly ok: (...args: readonly string[]) => Promise<string>;
  /** Makes the front network, and a box in both, one of which has the policy. */
  readonly front: () => Promise<unknown>;
  readonly inBoth: (...args: readonly string[]) => Promise<unknown>;
}

const ours = (...args: readonly string[]): Promise<string> =>
  actor.ok(args, { deadlineMs: 180_000 });
async function dockers(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await docker(actor.socket, args);
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  return stdout.trimEnd();
}
const policy = (): string[] => ['--egress', `allow:${OUTSIDE}:tcp:${allowed}`];

const COMMAND_LINES: Readonly<Record<string, CommandLine>> = {
  'a3s-box': {
    ok: ours,
    front: () => ours('network', 'create', 'front'),
    inBoth: (...args) => {
      const networks = ['--network', 'name=front,alias=api', '--network', 'data'];
      return ours('run', '-d', ...networks, ...policy(), ...args);
    },
  },
  docker: {
    ok: dockers,
    // Docker's command line has no word for policies.
    front: () => ours('network', 'create', ...policy(), 'front'),
    inBoth: async (...args) => {
      const networks = ['--network', 'front', '--network-alias', 'api'];
      const id = await dockers('create', ...networks, ...args);
      await dockers('network', 'connect', 'data', id);
      await dockers('start', id);
    },
  },
};

describe.each(Object.entries(COMMAND_LINES))('an application in three tiers by %s', (_, line) => {
  const { ok } = line;
  let port = '';
  /** How often it was visited. */
  let visits = 0;

  const tier = (name: string, ...args: readonly string[]): string[] => [
    ...[
      '--name',
      name,
      '-m',
      '384m',
      '--stop-signal',
      'SIGINT',
      '-v',
      `${PLACE}:/tiers:ro`,
      ...args,
    ],
  ];
  const inside = async (box: string, ...command: readonly string[]): Promise<string> => {
    try {
      return await ok('exec', box, ...command);
    } catch {
      return 'none';
    }
  };
  const curl = (box: string, url: string): Promise<string> =>
    inside(box, 'curl', '-sS', '--max-time', '5', url);
  const page = async (): Promise<string> => {
    try {
      return await (await fetch(`http://127.0.0.1:${port}/`)).text();
    } catch (error) {
      return String(error);
    }
  };
  /** Both databases count the visits that reached them. */
  async function expectServed(): Promise<void> {
    const [, row, visit] = await shows(/^row (\d+), visit (\d+)\n$/);
    expect(Number(row)).toBeGreaterThan(visits);
    expect(Number(visit)).toBeGreaterThan(0);
    visits = Number(row);
  }
  async function shows(wanted: RegExp): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    let last = '';
    await until(`the page is ${wanted}`, async () => {
      last = await page();
      found = wanted.exec(last);
      return found !== null;
    }).catch((error: unknown) => {
      throw new Error(`the page is ${last}`, { cause: error });
    });
    return found ?? expect.fail(last);
  }
  async function expectPolicy(): Promise<void> {
    expect(await curl('app', `http://${OUTSIDE}:${allowed}/`)).toBe('outside');
    expect(await curl('app', `http://${OUTSIDE}:${refused}/`)).toBe('none');
  }

  it(
    'serves a page through all of its tiers at a published port',
    async () => {
      await line.front();
      await ok('network', 'create', '--internal', 'data');
      await ok('volume', 'create', 'rows');
      const data = ['--network', 'data'];
      const store = ['--network-alias', 'store', '-v', 'rows:/srv/postgres'];
      await ok('run', '-d', ...tier('db', ...data, ...store), IMAGE, 'sh', '/tiers/store.sh');
      await ok('run', '-d', ...tier('cache', ...data), IMAGE, ...REDIS);
      await line.inBoth(...tier('app'), IMAGE, 'python3', '/tiers/app.py');
      const published = ['--network', 'front', '-p', '127.0.0.1::80'];
      await ok('run', '-d', ...tier('web', ...published), IMAGE, 'sh', '-c', NGINX);
      port = (await ok('port', 'web', '80/tcp')).split(':').at(-1) ?? '';
      await expectServed();
      await expectServed();
    },
    TEST_MS,
  );

  it(
    'keeps each tier to its networks, and what leaves them to the policy',
    async () => {
      await expectPolicy();
      expect(await inside('app', 'getent', 'hosts', 'store')).toMatch(/ store$/);
      const address = (await ok('exec', 'app', 'getent', 'ahostsv4', 'store')).split(' ')[0];
      expect(await inside('web', 'getent', 'hosts', 'store')).toBe('none');
      const connect = ['timeout', '10', 'bash', '-c', `: </dev/tcp/${address}/5432 && echo open`];
      expect(await inside('app', ...connect)).toBe('open');
      expect(await inside('web', ...connect)).toBe('none');
      for (const box of ['db', 'cache']) {
        expect(await curl(box, `http://${OUTSIDE}:${allowed}/`)).toBe('none');
        expect(await inside(box, 'getent', 'hosts', 'web')).toBe('none');
      }
    },
    TEST_MS,
  );

  it(
    'loses a tier that leaves its network while it runs, and has it back with the network',
    async () => {
      await ok('network', 'disconnect', 'data', 'app');
      await shows(/^OperationalError: /);
      expect(await inside('app', 'getent', 'hosts', 'store')).toBe('none');
      await ok('network', 'connect', 'data', 'app');
      await expectServed();
      await ok('network', 'disconnect', 'front', 'app');
      await shows(/502 Bad Gateway|504 Gateway/);
      expect(await curl('app', `http://${OUTSIDE}:${allowed}/`)).toBe('none');
      await ok('network', 'connect', '--alias', 'api', 'front', 'app');
      await expectServed();
      await expectPolicy();
      // The tier with the port too: what is published comes back.
      await ok('network', 'disconnect', 'front', 'web');
      await ok('network', 'connect', 'front', 'web');
      port = (await ok('port', 'web', '80/tcp')).split(':').at(-1) ?? '';
      await expectServed();
    },
    TEST_MS,
  );

  it(
    'goes on when a tier is restarted, replaced or paused, and when the server is killed',
    async () => {
      for (const box of ['db', 'app', 'cache']) {
        await ok('restart', box);
        await expectServed();
      }
      await ok('restart', 'web');
      port = (await ok('port', 'web', '80/tcp')).split(':').at(-1) ?? '';
      await expectServed();
      await ok('rm', '-f', 'cache');
      await shows(/^(Connection|Timeout)Error: /);
      await ok('run', '-d', ...tier('cache', '--network', 'data'), IMAGE, ...REDIS);
      await expectServed();
      await ok('pause', 'db');
      await ok('unpause', 'db');
      await expectServed();
      await actor.killServer();
      await expectServed();
      // Docker's command line starts no server.
      await ours('ps');
      await expectPolicy();
      await ok('restart', 'app');
      await expectServed();
    },
    TEST_MS,
  );

  it(
    'leaves nothing',
    async () => {
      await ok('rm', '-f', 'web', 'app', 'cache', 'db');
      await ok('network', 'rm', 'front', 'data');
      await ok('volume', 'rm', 'rows');
      await expect.poll(() => actor.boxProcesses(), LATER).toEqual([]);
      expect(await ok('network', 'ls', '--filter', 'type=custom', '--quiet')).toBe('');
      expect(execFileSync('findmnt', ['-rn', '-o', 'TARGET'], { encoding: 'utf8' })).not.toContain(
        actor.runtimeDir,
      );
    },
    TEST_MS,
  );
});
