import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';

/**
 * Every route that Docker's documentation of version 1.45 has for containers, exec and volumes, and
 * what is answered where there is nothing of that name. A volume of a swarm is the one thing that
 * dockerd refuses as well where it is in no swarm.
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
