import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { ROUTES } from '../routes.ts';
import { expectDescribed } from '../testing/described.ts';
import { TestHome } from '../testing/home.ts';
import { empty, json } from './answer.ts';
import { openApiPath } from './openapi.ts';
import { EMPTY } from './replies.ts';
import { route } from './route.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

type Operations = Record<string, { summary: string; responses: Record<string, unknown> }>;

async function paths(prefix = ''): Promise<Record<string, Operations>> {
  const { status, body } = await home.call('GET', `${prefix}/a3s/v1/openapi.json`);
  expect(status).toBe(200);
  return (body as { paths: Record<string, Operations> }).paths;
}

it('the OpenAPI document lists exactly the routes of the table', async () => {
  const described = Object.entries(await paths()).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = ROUTES.map(({ method, path }) => `${method} ${openApiPath(path)}`);
  expect(described.sort()).toEqual(served.sort());
  expect(new Set(served).size).toBe(served.length);
});

it('every route has a summary and describes a success answer unless it only refuses', async () => {
  for (const [path, operations] of Object.entries(await paths('/v1.43'))) {
    for (const { summary, responses } of Object.values(operations)) {
      expect(summary, path).toMatch(/^[A-Z][^.]+$/);
      expect(responses, path).toHaveProperty('default');
      const refuses = /^Refused with (?:400|501|503): /.test(summary);
      expect(refuses || Object.keys(responses).length > 1, path).toBe(true);
    }
  }
});

it('a path outside the OpenAPI documents is not served', async () => {
  for (const [method, path] of [
    ['GET', '/nope'],
    ['PATCH', '/containers/json'],
    ['GET', '/a3s/v2/openapi.json'],
  ] as const) {
    expect(await home.call(method, path)).toMatchObject({
      status: 404,
      body: { code: 'no-such-route' },
    });
  }
});

it('the test client rejects answers that the document does not describe', () => {
  const type = 'application/json';
  const checking = (status: number, body: unknown) => () =>
    expectDescribed('GET', '/v1.44/networks', { status, type, text: JSON.stringify(body) });
  expect(checking(200, [])).not.toThrow();
  expect(checking(200, [{ Name: 'mine' }])).toThrow('is not what the route is described with');
  expect(checking(204, [])).toThrow('it has no such answer');
  expect(checking(404, { message: 'x' })).toThrow('code');
  expect(checking(404, { message: 'x', code: 'no-such-box' })).not.toThrow();
});

it('the type of a handler’s answer follows from the route’s description', () => {
  const definition = {
    access: 'owner',
    summary: 'X',
    query: z.object({}),
    body: z.unknown(),
    answers: { 200: z.strictObject({ Id: z.string() }), 204: EMPTY },
  } as const;
  route('GET', '/x', { ...definition, handler: () => json({ Id: 'x' }) });
  route('GET', '/x', { ...definition, handler: () => empty() });
  // @ts-expect-error Id is text
  route('GET', '/x', { ...definition, handler: () => json({ Id: 1 }) });
  // @ts-expect-error Id is missing
  route('GET', '/x', { ...definition, handler: () => json({}) });
  // @ts-expect-error no document comes with this status
  route('GET', '/x', { ...definition, handler: () => json({ Id: 'x' }, 201) });
  // @ts-expect-error nor this status at all
  route('GET', '/x', { ...definition, handler: () => empty(304) });
});

it.each(['/containers/create', '/containers/{id}/exec', '/containers/{id}/update', '/auth'])(
  'the OpenAPI document contains the body of POST %s',
  async (path) => {
    const { body } = await home.call('GET', '/a3s/v1/openapi.json');
    const { paths } = body as { paths: Record<string, { post: { requestBody?: unknown } }> };
    expect(paths[path]?.post.requestBody).toMatchObject({
      content: { 'application/json': { schema: { type: 'object' } } },
    });
  },
);
