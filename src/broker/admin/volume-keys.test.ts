import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  launchGuest,
  policyDocument,
  startTestBroker,
  type TestBroker,
} from '../testing/test-broker.ts';
import { TestGuest } from '../testing/test-guest.ts';

const TENANT = '/v1/tenants/default';
const KEYS = `${TENANT}/volume-keys`;
const SECRETS = `${TENANT}/secrets`;

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker({ limits: 'requestsPerSecond: 10000, burst: 10000' });
  await broker.admin('PUT', `${TENANT}/policies/web`, policyDocument());
  const grant = { path: 'default/volumes/*', policy: 'web' };
  await broker.admin('PUT', `${TENANT}/grants/volumes`, grant);
});
afterAll(async () => {
  expect(broker.errors).toEqual([]);
  await broker[Symbol.asyncDispose]();
});

const create = (name: string, as?: 'wendy' | 'audrey') =>
  broker.admin('POST', `${KEYS}/default/volumes/${name}`, undefined, as);
const refused = (status: number, code: string) => ({ status, body: { code } });

/** The answer of one path, to a guest that a policy accepts. */
async function answered(name: string) {
  const guest = new TestGuest((path) => broker.url(path), launchGuest());
  const answer = await guest.resource(await guest.enter(), `default/volumes/${name}`);
  return { guest, ...answer };
}

async function released(name: string) {
  const { guest, status, body } = await answered(name);
  return status === 200 ? guest.decrypt(body) : status;
}

async function lastAction(): Promise<unknown> {
  const { body } = await broker.admin('GET', `${TENANT}/audit`);
  return (body['entries'] as { action: string }[]).at(-1)?.action;
}

describe('the key of a sealed volume', () => {
  it('releases a random key by a grant, and lists none of its value', async () => {
    expect((await create('one', 'wendy')).status).toBe(204);
    expect(await lastAction()).toBe('volume-key-created');
    expect((await create('other')).status).toBe(204);
    const key = await released('one');
    expect(await lastAction()).toBe('volume-key-released');
    expect(key).not.toBe(await released('other'));
    const { body } = await broker.admin('GET', KEYS);
    expect(body['volume-keys']).toMatchObject([
      { name: 'default/volumes/one', version: 1 },
      { name: 'default/volumes/other', version: 1 },
    ]);
    expect((await broker.admin('GET', SECRETS)).body['secrets']).toEqual([]);
  });

  it('says to the guest what is a volume key, and what an administrator put', async () => {
    await create('named');
    await broker.admin('PUT', `${SECRETS}/default/volumes/known`, Buffer.alloc(32, 7));
    for (const [name, kind] of [['named', 'volume-key'] as const, ['known', undefined] as const]) {
      const { body } = await answered(name);
      const header = Buffer.from(String(body['protected']), 'base64url').toString();
      expect(JSON.parse(header)['kind']).toBe(kind);
    }
    await broker.admin('DELETE', `${SECRETS}/default/volumes/known`);
    await broker.admin('DELETE', `${KEYS}/default/volumes/named?discard=true`);
  });

  it('refuses to overwrite a key with a secret, a rotation or another key', async () => {
    await create('kept');
    const before = await released('kept');
    const secret = `${SECRETS}/default/volumes/kept`;
    for (const refusal of [
      await broker.admin('PUT', secret, Buffer.from('another')),
      await broker.admin('POST', `${secret}/rotate?bytes=32`),
      await create('kept'),
    ]) {
      expect(refusal).toMatchObject(refused(409, 'broker-volume-key'));
    }
    expect((await broker.admin('DELETE', secret)).status).toBe(404);
    expect(await released('kept')).toBe(before);
  });

  it('refuses to make a key where a secret is, and for an auditor', async () => {
    await broker.admin('PUT', `${SECRETS}/default/volumes/secret`, Buffer.from('mine'));
    expect(await create('secret')).toMatchObject(refused(409, 'broker-conflict'));
    expect(await released('secret')).toBe('mine');
    expect(await create('new', 'audrey')).toMatchObject(refused(403, 'broker-forbidden'));
  });

  it('removes a key for an administrator who says that its volumes are given up', async () => {
    await create('gone');
    const path = `${KEYS}/default/volumes/gone`;
    expect(await broker.admin('DELETE', path)).toMatchObject(refused(409, 'broker-volume-key'));
    const discard = `${path}?discard=true`;
    expect((await broker.admin('DELETE', discard, undefined, 'wendy')).status).toBe(403);
    expect((await broker.admin('DELETE', discard)).status).toBe(204);
    expect(await lastAction()).toBe('volume-key-removed');
    expect(await released('gone')).toBe(404);
    expect((await broker.admin('DELETE', discard)).status).toBe(404);
  });

  it('keeps a key over a rotation of the root key', async () => {
    await create('rotated');
    const before = await released('rotated');
    await broker.admin('POST', '/v1/root-key/rotate', undefined, 'olga');
    await broker.restart();
    expect(await released('rotated')).toBe(before);
  });
});
