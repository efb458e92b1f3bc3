/**
 * One application of fifteen services, of `test/large-application`, by the real docker compose: it
 * comes up though the control server is killed meanwhile, works, is scaled, and goes down. It takes
 * a quarter of an hour under emulation, so only a soak runs it.
 */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, type Result } from '../../e2e/actor.ts';
import { type Installation, install } from '../../e2e/installation.ts';
import { until } from '../../e2e/processes.ts';
import { scaled } from '../../e2e/time-scale.ts';
import { APPLICATIONS_BASE, applicationsRoot } from '../../images/applications-image.ts';

const LONGEST = scaled(1_800_000);
/** All that go on; `migrate` ends, and is what others wait for. */
const LASTING = ['proxy', 'metrics', 'worker', 'mailer', 'notifier'];
const SERVICES = 15;
/** Only what hangs takes so long, also where the boxes are emulated on a busy machine. */
const ANSWER_MS = 600_000;

let installation: Installation;
let actor: Actor;
let project: string;

beforeAll(async () => {
  installation = await install();
  actor = new Actor('root', installation);
  await actor.prepare();
  project = join(actor.directory, 'shop');
  cpSync(join(import.meta.dirname, '../../large-application'), project, { recursive: true });
  const options = { deadlineMs: LONGEST };
  await actor.ok(['import', await applicationsRoot(), APPLICATIONS_BASE], options);
}, LONGEST);

afterAll(async () => {
  await actor.leave();
  expect(actor.remains()).toEqual([]);
  installation.remove();
}, LONGEST);

const run = (...args: readonly string[]): Promise<Result> =>
  actor.run(['compose', '--project-directory', project, ...args], { deadlineMs: LONGEST });

async function compose(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr });
  return stdout.trimEnd();
}

const ids = async (...services: readonly string[]): Promise<readonly string[]> =>
  (await compose('ps', '--quiet', '--no-trunc', ...services)).split('\n').sort();

const running = async (): Promise<readonly string[]> => {
  const { stdout } = await run('ps', '--status', 'running', '--services');
  return stdout.split('\n').filter((name) => name !== '');
};

/** The answer of a service of the host's port, asked again until there is one. */
async function answers(service: string, port: number, path: string, wanted: RegExp): Promise<void> {
  const address = await compose('port', service, `${port}`);
  const answered = async (): Promise<boolean> => {
    try {
      return wanted.test(await (await fetch(`http://${address}${path}`)).text());
    } catch {
      return false;
    }
  };
  await until(`${path} answers ${wanted}`, answered, ANSWER_MS);
}

/** Of all processes of boxes, with pages that are shared counted by share, in MiB. */
function memory(): number {
  const kibibytes = actor.boxProcesses().map(({ pid }) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]);
  });
  return Math.round(kibibytes.reduce((sum, each) => sum + each, 0) / 1024);
}

describe('an application of fifteen services', () => {
  it(
    'goes on with the next up when the control server is killed in the middle, and loses nothing',
    async ({ annotate }) => {
      const started = performance.now();
      await compose('up', '--detach', '--wait', 'web');
      const first = ['web', 'cache', 'queue', 'db'];
      const before = await ids(...first);
      expect(before).toHaveLength(first.length);
      const order = ['curl', '-fsS', 'http://127.0.0.1:8000/order/before'];
      expect(await compose('exec', '-T', 'web', ...order)).toBe('queued');

      const up = run('up', '--detach', '--wait', ...LASTING);
      await until('some of the others run', async () => (await running()).length > first.length);
      await actor.killServer();
      await up;
      await compose('up', '--detach', '--wait', ...LASTING);
      expect(await running()).toHaveLength(SERVICES - 1);
      expect(await ids(...first)).toEqual(before);
      const seconds = Math.round((performance.now() - started) / 1000);
      await annotate(`${SERVICES} services, with the kill: ${seconds} s, ${memory()} MiB`);
      await answers('proxy', 80, '/orders', /^orders 1, each made 1 time$/);
    },
    LONGEST,
  );

  it(
    'answers through its proxy from each of its parts',
    async () => {
      await answers('proxy', 80, '/static/', /<h1>shop<\/h1>/);
      await answers('proxy', 80, '/cached', /^1$/);
      await answers('proxy', 80, '/api/waiting', /^\{"waiting":0\}$/);
      await answers('proxy', 80, '/admin/', /^mails 1$/m);
      expect(await compose('exec', '-T', 'notifier', 'cat', '/news/log')).toBe('before');
      await answers('metrics', 9090, '/api/v1/query?query=shop_waiting', /"job":"api".*"0"/);
    },
    LONGEST,
  );

  it(
    'makes each order once with three workers, that are scaled up and down',
    async () => {
      const scale = (to: number) =>
        compose('up', '--detach', '--no-recreate', '--scale', `worker=${to}`, 'worker');
      await scale(3);
      expect(await ids('worker')).toHaveLength(3);
      const address = await compose('port', 'proxy', '80');
      for (let n = 1; n <= 11; n += 1) {
        expect(await (await fetch(`http://${address}/order/n${n}`)).text()).toBe('queued');
      }
      await answers('proxy', 80, '/orders', /^orders 12, each made 1 time$/);
      await answers('proxy', 80, '/admin/', /^mails 12$/m);
      await scale(1);
      expect(await ids('worker')).toHaveLength(1);
    },
    LONGEST,
  );

  it(
    'keeps all orders when it goes down and comes up again, and goes down leaving nothing',
    async () => {
      await compose('down');
      await compose('up', '--detach', '--wait', ...LASTING);
      await answers('proxy', 80, '/orders', /^orders 12, each made 1 time$/);
      await answers('proxy', 80, '/admin/', /^mails 12$/m);
      await compose('down', '--volumes');
      expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
      expect(await actor.ok(['volume', 'ls', '--quiet'])).toBe('');
      expect(await actor.ok(['network', 'ls', '--format', '{{.Name}}'])).toBe('bridge\nnone');
      await expect.poll(() => actor.boxProcesses()).toEqual([]);
    },
    LONGEST,
  );
});
