import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { parseBrokerConfig } from './config/broker-yaml.ts';
import { initBroker } from './init.ts';
import { serveBroker } from './serve.ts';
import { DERIVING, type DerivingGuest, deriveSocket } from './testing/derive-socket.ts';
import { NOW, type TestDirectory, testDirectory } from './testing/fixtures.ts';
import {
  adminCall,
  launchGuest,
  person,
  policyDocument,
  SERVER,
  testYaml,
  vector,
} from './testing/test-broker.ts';
import { TestGuest } from './testing/test-guest.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await testDirectory();
  const files = { 'roots.pem': vector('roots.pem'), 'tls.crt': SERVER.cert, 'tls.key': SERVER.key };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory.path, name), text);
});
afterEach(() => directory[Symbol.asyncDispose]());

const SOCKET = 'agent.sock';

function config(more = 'allowSimulated: true') {
  const derived = `derived: {references: root.references, socket: ${SOCKET}, policy: exact, ${more}}`;
  const text = testYaml().replace('file: root.key', derived);
  expect(text).toContain(derived);
  return parseBrokerConfig(Buffer.from(text), join(directory.path, 'broker.yaml'));
}

const agent = (guest?: DerivingGuest) => deriveSocket(join(directory.path, SOCKET), guest);

async function serve() {
  const errors: unknown[] = [];
  const running = await serveBroker(config(), {
    now: () => NOW,
    onError: (error) => errors.push(error),
  });
  return {
    errors,
    admin: (method: string, path: string, body?: unknown, as: 'alice' | 'olga' = 'alice') =>
      adminCall(running.ports.admin, method, path, body, person(as)),
    pull: async () => {
      const guest = new TestGuest(
        (path) => `http://127.0.0.1:${running.ports.guests}${path}`,
        launchGuest(),
      );
      const { body } = await guest.resource(await guest.enter(), 'default/db/one');
      return guest.decrypt(body);
    },
    [Symbol.asyncDispose]: () => running.close(),
  };
}

it('keeps secrets under root keys that the processor derives, over rotations and restarts', async () => {
  await using _ = await agent();
  await initBroker(config());
  const api = '/v1/tenants/default';
  {
    await using broker = await serve();
    await broker.admin('PUT', `${api}/policies/web`, policyDocument());
    await broker.admin('PUT', `${api}/grants/db`, { path: 'default/db/*', policy: 'web' });
    await broker.admin('PUT', `${api}/secrets/default/db/one`, Buffer.from('hunter2'));
    expect(await broker.pull()).toBe('hunter2');
    const rotated = await broker.admin('POST', '/v1/root-key/rotate', undefined, 'olga');
    expect(rotated).toMatchObject({ status: 200 });
    await vi.waitFor(async () => {
      const { body } = await broker.admin('GET', '/v1/audit/export', undefined, 'olga');
      expect(JSON.stringify(body)).toContain('root-key-rewrapped');
    });
    expect(broker.errors).toEqual([]);
  }
  await using broker = await serve();
  expect(await broker.pull()).toBe('hunter2');
});

it('starts in no other guest, nor where simulated keys do not count, and loses nothing by it', async () => {
  {
    await using _ = await agent();
    await initBroker(config());
    await using broker = await serve();
    await broker.admin('PUT', '/v1/tenants/default/policies/web', policyDocument());
  }
  await expect(serve()).rejects.toMatchObject({ code: 'root-key' });
  {
    await using _ = await agent({ ...DERIVING, measurement: new Uint8Array(48).fill(9) });
    await expect(serve()).rejects.toThrow('sealed-measurement');
  }
  await using _ = await agent();
  const strict = config('allowSimulated: false');
  const refused = serveBroker(strict, { now: () => NOW, onError: () => undefined });
  await expect(refused).rejects.toThrow('allowSimulated');
  await using broker = await serve();
  const policies = await broker.admin('GET', '/v1/tenants/default/policies');
  expect(JSON.stringify(policies.body)).toContain('web');
});

it('makes no second root key over one that is there', async () => {
  await using _ = await agent();
  await initBroker(config());
  await expect(initBroker(config())).rejects.toMatchObject({ code: 'broker-conflict' });
});
