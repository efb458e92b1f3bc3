import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  launchGuest,
  policyDocument,
  startTestBroker,
  type TestBroker,
} from '../testing/test-broker.ts';
import { TestGuest } from '../testing/test-guest.ts';

const GENEROUS = 'requestsPerSecond: 10000, burst: 10000';
const TENANT = '/v1/tenants/default';
const VOLUME = '0123456789abcdef0123456789abcdef';
const OTHER = '1123456789abcdef0123456789abcdef';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker({ limits: GENEROUS });
  await broker.admin('PUT', `${TENANT}/policies/web`, policyDocument());
  const grants = {
    counters: { path: 'default/volumes/*', policy: 'web', counter: true },
    secrets: { path: 'default/*/*', policy: 'web' },
  };
  for (const [name, grant] of Object.entries(grants)) {
    expect((await broker.admin('PUT', `${TENANT}/grants/${name}`, grant)).status).toBe(200);
  }
});
afterAll(async () => {
  expect(broker.errors).toEqual([]);
  await broker[Symbol.asyncDispose]();
});

const guest = (kernel?: string) => new TestGuest((path) => broker.url(path), launchGuest(kernel));

async function lastEntry(): Promise<Record<string, unknown>> {
  const { body } = await broker.admin('GET', `${TENANT}/audit`);
  return (body['entries'] as Record<string, unknown>[]).at(-1) ?? {};
}

const refusedWith = (status: number, code: string) => ({
  status,
  body: { type: `urn:a3s-box:error:${code}`, detail: code },
});

describe('a counter of the broker', () => {
  const PATH = 'default/volumes/data';

  it('advances by one for a guest that a grant for counters accepts, and records each step', async () => {
    const one = guest();
    const cookie = await one.enter();
    expect(await one.counter(cookie, PATH)).toMatchObject(refusedWith(404, 'kbs-no-resource'));
    for (const [from, to] of [
      [0, 3],
      [3, 4],
    ]) {
      const body = { volume: VOLUME, generation: to };
      const step = { volume: VOLUME, from, to };
      expect(await one.advance(cookie, PATH, step)).toMatchObject({ status: 200, body });
      expect(await one.counter(cookie, PATH)).toMatchObject({ status: 200, body });
    }
    expect(await lastEntry()).toMatchObject({
      action: 'counter-advanced',
      object: PATH,
      details: { grant: 'counters', policy: 'web', volume: VOLUME, generation: 4 },
    });
  });

  it.each([
    ['goes back', { volume: VOLUME, from: 4, to: 3 }, 'generation'],
    ['stays', { volume: VOLUME, from: 4, to: 4 }, 'generation'],
    ['leaves one out', { volume: VOLUME, from: 4, to: 6 }, 'generation'],
    ['begins anew', { volume: VOLUME, from: 0, to: 3 }, 'generation'],
    ['is from an older generation', { volume: VOLUME, from: 3, to: 4 }, 'generation'],
    ['is from a later generation', { volume: VOLUME, from: 5, to: 6 }, 'generation'],
    ['is of another volume', { volume: OTHER, from: 4, to: 5 }, 'volume'],
    ['makes another volume', { volume: OTHER, from: 0, to: 3 }, 'volume'],
  ])('refuses a step that %s', async (_, step, check) => {
    const one = guest();
    const cookie = await one.enter();
    expect(await one.advance(cookie, PATH, step)).toMatchObject(refusedWith(409, 'kbs-counter'));
    expect(await lastEntry()).toMatchObject({ action: 'counter-refused', object: PATH, check });
    expect((await one.counter(cookie, PATH)).body).toEqual({ volume: VOLUME, generation: 4 });
  });

  it('refuses a first step that is not from 0', async () => {
    const one = guest();
    const step = { volume: VOLUME, from: 2, to: 3 };
    expect(await one.advance(await one.enter(), 'default/volumes/new', step)).toMatchObject(
      refusedWith(409, 'kbs-counter'),
    );
  });

  it.each([
    ['nothing', {}],
    ['a short id', { volume: VOLUME.slice(1), from: 0, to: 3 }],
    ['a fraction', { volume: VOLUME, from: 0, to: 3.5 }],
    ['a number that is not exact', { volume: VOLUME, from: 2 ** 53 - 1, to: 2 ** 53 }],
    ['more', { volume: VOLUME, from: 0, to: 3, force: true }],
  ])('refuses %s in place of a step', async (_, step) => {
    const one = guest();
    const answer = await one.advance(await one.enter(), 'default/volumes/new', step);
    expect(answer).toMatchObject(refusedWith(400, 'kbs-request'));
  });

  it('gives no counter by a grant for secrets, and no secret by a grant for counters', async () => {
    const one = guest();
    const cookie = await one.enter();
    const step = { volume: VOLUME, from: 0, to: 3 };
    for (const answer of [
      await one.counter(cookie, 'default/db/data'),
      await one.advance(cookie, 'default/db/data', step),
      await one.advance(cookie, 'default/../data', step),
    ]) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
    await broker.admin('PUT', `${TENANT}/grants/secrets/revoked`, {});
    await broker.admin('PUT', `${TENANT}/secrets/default/volumes/data`, Buffer.from('hunter2'));
    expect(await one.resource(cookie, PATH)).toMatchObject(refusedWith(403, 'kbs-denied'));
    await broker.admin('DELETE', `${TENANT}/grants/secrets/revoked`);
  });

  it('refuses a guest without a session, and one whose grant was revoked a moment ago', async () => {
    const one = guest();
    const cookie = await one.enter();
    const step = { volume: VOLUME, from: 4, to: 5 };
    expect(await one.advance('', PATH, step)).toMatchObject(refusedWith(401, 'kbs-session'));
    await broker.admin('PUT', `${TENANT}/grants/counters/revoked`, {});
    expect(await one.advance(cookie, PATH, step)).toMatchObject(refusedWith(403, 'kbs-denied'));
    expect(await lastEntry()).toMatchObject({ check: 'grant counters: revoked' });
    await broker.admin('DELETE', `${TENANT}/grants/counters/revoked`);
  });

  it('of several steps at once takes one', async () => {
    const one = guest();
    const cookie = await one.enter();
    const step = { volume: VOLUME, from: 4, to: 5 };
    const answers = await Promise.all([1, 2, 3, 4].map(() => one.advance(cookie, PATH, step)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  });

  it('outlives the broker, and an administrator alone sets it back', async () => {
    await broker.restart();
    const one = guest();
    const cookie = await one.enter();
    expect((await one.counter(cookie, PATH)).body).toEqual({ volume: VOLUME, generation: 5 });
    const { body } = await broker.admin('GET', `${TENANT}/counters`);
    expect(body['counters']).toMatchObject([{ name: PATH, volume: VOLUME, generation: 5 }]);
    const set = (document: unknown, who: 'alice' | 'wendy' = 'alice') =>
      broker.admin('PUT', `${TENANT}/counters/${PATH}`, document, who);
    expect((await set({ volume: VOLUME, generation: 3 }, 'wendy')).status).toBe(403);
    expect((await set({ volume: VOLUME, generation: 0 })).status).toBe(400);
    expect((await set({ volume: OTHER, generation: 3 })).status).toBe(200);
    expect(await lastEntry()).toMatchObject({ action: 'counter-set', actor: 'admin:alice' });
    expect((await one.counter(cookie, PATH)).body).toEqual({ volume: OTHER, generation: 3 });
    expect((await broker.admin('DELETE', `${TENANT}/counters/${PATH}`)).status).toBe(204);
    expect(await one.counter(cookie, PATH)).toMatchObject(refusedWith(404, 'kbs-no-resource'));
  });
});
