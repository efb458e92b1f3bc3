import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';

/**
 * Every route that Docker's documentation has for containers, exec and volumes, and what is
 * answered where there is nothing of that name. Version 1.47 has those of 1.45. A volume of a swarm
 * is the one thing that dockerd refuses as well where it is in no swarm.
 */
const DOCUMENTED = [
  ['GET', '/containers/json', 200],
  ['POST', '/containers/create', 400],
  ['GET', '/containers/gone/json', 404],
  ['GET', '/containers/gone/top', 404],
  ['GET', '/containers/gone/logs?stdout=1', 404],
  ['GET', '/containers/gone/changes', 404],
  ['GET', '/containers/gone/export', 404],
  ['GET', '/containers/gone/stats', 404],
  ['POST', '/containers/gone/resize?h=1&w=1', 404],
  ['POST', '/containers/gone/start', 404],
  ['POST', '/containers/gone/stop', 404],
  ['POST', '/containers/gone/restart', 404],
  ['POST', '/containers/gone/kill', 404],
  ['POST', '/containers/gone/update', 404],
  ['POST', '/containers/gone/rename?name=x', 404],
  ['POST', '/containers/gone/pause', 404],
  ['POST', '/containers/gone/unpause', 404],
  ['POST', '/containers/gone/attach', 404],
  ['GET', '/containers/gone/attach/ws', 404],
  ['POST', '/containers/gone/wait', 404],
  ['DELETE', '/containers/gone', 404],
  ['HEAD', '/containers/gone/archive?path=/', 404],
  ['GET', '/containers/gone/archive?path=/', 404],
  ['PUT', '/containers/gone/archive?path=/', 404],
  ['POST', '/containers/prune', 200],
  ['POST', '/containers/gone/exec', 404],
  ['POST', '/exec/gone/start', 404],
  ['POST', '/exec/gone/resize?h=1&w=1', 404],
  ['GET', '/exec/gone/json', 404],
  ['GET', '/volumes', 200],
  ['POST', '/volumes/create', 201],
  ['GET', '/volumes/gone', 404],
  ['PUT', '/volumes/gone', 503],
  ['DELETE', '/volumes/gone', 404],
  ['POST', '/volumes/prune', 200],
] as const;

const home = new TestHome();
beforeAll(() => home.start());
afterAll(() => home.remove());

it.each(DOCUMENTED)('serves %s %s, and answers %d', async (method, path, status) => {
  const body = /\/(exec|update|start|create)$/.test(path) ? {} : undefined;
  const answer = await home.call(method, `/v1.45${path}`, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(status);
  if (status === 404 && method !== 'HEAD') {
    // Not that there is no such page.
    expect((answer.body as { code: string }).code).toMatch(/^no-such-(box|exec|volume)$/);
  }
});

describe('of a box, an exec and a volume', () => {
  let [box, exec] = ['', ''];
  beforeAll(async () => {
    box = await home.create(['sleep', 'infinity'], { OpenStdin: true, Tty: true });
    expect((await home.call('POST', `/containers/${box}/start`)).status).toBe(204);
    const made = await home.call('POST', `/containers/${box}/exec`, {
      ...{ Cmd: ['sleep', 'infinity'], Tty: true },
    });
    exec = (made.body as { Id: string }).Id;
    expect((await home.call('POST', `/exec/${exec}/start`, { Detach: true })).status).toBe(200);
    await home.call('POST', '/volumes/create', { Name: 'data' });
  });

  const BODIES: Readonly<Record<string, unknown>> = {
    'POST /containers/create': { Image: 'busybox' },
    'POST /containers/gone/update': {},
    'POST /containers/gone/exec': { Cmd: ['true'] },
    'POST /exec/gone/start': { Detach: true },
    'POST /volumes/create': { Name: 'data' },
    'PUT /containers/gone/archive?path=/': '\0'.repeat(1024),
  };
  /** These change what others are about, so they come in this order, behind all others. */
  const LAST = ['/pause', '/unpause', '/restart', '/stop', '/start', '/kill', 'gone', '/prune'];
  const rank = (path: string): number =>
    path.startsWith('/exec') ? -1 : LAST.findIndex((end) => path.endsWith(end));
  /** Streams without an end, which have tests of their own. */
  const STREAMS = /\/(attach|attach\/ws|wait)$/;

  it('answers what is asked for, but for volumes of a swarm', async () => {
    const failed: Record<string, unknown> = {};
    const walked = DOCUMENTED.filter(([, path]) => !STREAMS.test(path)).toSorted(
      ([, a], [, b]) => rank(a) - rank(b),
    );
    for (const [method, path] of walked) {
      const real = path
        .replace('/containers/gone', `/containers/${box}`)
        .replace('/exec/gone', `/exec/${exec}`)
        .replace('/volumes/gone', '/volumes/data')
        .replace(/\/stats$/, '/stats?stream=0')
        .replace('name=x', 'name=renamed');
      const force = method === 'DELETE' && real.startsWith('/containers') ? '?force=1' : '';
      const answer = await home.call(method, `/v1.45${real}${force}`, BODIES[`${method} ${path}`]);
      if (answer.status >= 400) failed[`${method} ${path}`] = [answer.status, answer.body];
    }
    expect(failed).toMatchObject({
      'POST /exec/gone/start': [409, { message: expect.stringContaining('is already running') }],
      'PUT /volumes/gone': [503, { code: 'not-in-swarm' }],
    });
    expect(Object.keys(failed)).toEqual(['POST /exec/gone/start', 'PUT /volumes/gone']);
  });
});
