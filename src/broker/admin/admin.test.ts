import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRootKeyFile } from '../keys/file-root-keys.ts';
import {
  policyDocument,
  startTestBroker,
  type TestBroker,
  type Who,
} from '../testing/test-broker.ts';

const SECRETS = '/v1/tenants/default/secrets';
const DECLARED = `
    grants: {fixed: {path: "declared/*/*", policy: nothing}}`;

let broker: TestBroker;
beforeAll(async () => {
  const limits = 'requestsPerSecond: 10000, burst: 10000';
  broker = await startTestBroker({ limits, declared: DECLARED });
});
afterAll(async () => {
  expect(broker.errors).toEqual([]);
  await broker[Symbol.asyncDispose]();
});

const refused = (status: number, code: string) => ({ status, body: { code } });

describe('who may administer the broker', () => {
  it.each<[Who, string, string, number]>([
    ['alice', 'PUT', `${SECRETS}/default/a/b`, 200],
    ['wendy', 'PUT', `${SECRETS}/default/a/b`, 200],
    ['audrey', 'PUT', `${SECRETS}/default/a/b`, 403],
    ['olga', 'PUT', `${SECRETS}/default/a/b`, 403],
    ['bob', 'PUT', `${SECRETS}/default/a/b`, 403],
    ['mallory', 'PUT', `${SECRETS}/default/a/b`, 401],
    ['edgar', 'PUT', `${SECRETS}/default/a/b`, 401],
    ['audrey', 'GET', SECRETS, 200],
    ['bob', 'GET', SECRETS, 403],
    ['wendy', 'GET', '/v1/tenants/default/audit', 403],
    ['audrey', 'GET', '/v1/tenants/default/audit', 200],
    ['wendy', 'DELETE', '/v1/tenants/default/sessions', 403],
    ['alice', 'POST', '/v1/root-key/rotate', 403],
    ['alice', 'GET', '/v1/audit/export', 403],
    ['olga', 'GET', '/v1/audit/checkpoint', 200],
    ['alice', 'GET', '/v1/tenants/nobody/secrets', 403],
  ])('answers %s, who asks for %s %s, with %i', async (who, method, path, status) => {
    const body = method === 'PUT' ? Buffer.from('value') : undefined;
    expect((await broker.admin(method, path, body, who)).status).toBe(status);
  });

  it('lets nobody in without a certificate', async () => {
    const status = await new Promise((resolve, reject) => {
      const { admin: port } = broker.running.ports;
      const options = { host: '127.0.0.1', port, path: SECRETS, rejectUnauthorized: false };
      request({ ...options, agent: false }, (incoming) => {
        incoming.resume();
        resolve(incoming.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(401);
  });

  it('records in the audit log who was refused what', async () => {
    await broker.admin('GET', SECRETS, undefined, 'mallory');
    const { body } = await broker.admin('GET', '/v1/tenants/default/audit');
    expect((body['entries'] as unknown[]).at(-1)).toMatchObject({
      action: 'admin-refused',
      object: 'GET /secrets',
      refusal: 'broker-unauthenticated',
    });
  });
});

describe('what administrators do', () => {
  it('lists the versions of secrets, and never a value', async () => {
    await broker.admin('PUT', `${SECRETS}/default/key/one`, Buffer.from('hunter2'));
    await broker.admin('POST', `${SECRETS}/default/key/one/rotate?bytes=32`);
    const { body } = await broker.admin('GET', SECRETS);
    expect(body['secrets']).toContainEqual(
      expect.objectContaining({ name: 'default/key/one', version: 2 }),
    );
    expect(JSON.stringify(body)).not.toContain('hunter2');
    expect(await broker.admin('GET', `${SECRETS}/default/key/one`)).toMatchObject(
      refused(404, 'no-such-route'),
    );
  });

  it.each([
    ['an empty secret', 'PUT', `${SECRETS}/default/key/one`, Buffer.alloc(0), 400],
    ['a secret of 64 KiB and a byte', 'PUT', `${SECRETS}/d/k/o`, Buffer.alloc(65_537, 1), 413],
    ['a path with an odd name', 'PUT', `${SECRETS}/default/key/%2e%2e%2f`, Buffer.from('x'), 400],
    ['a rotation of what is not there', 'POST', `${SECRETS}/default/key/no/rotate`, undefined, 404],
    ['a random value of one byte', 'POST', `${SECRETS}/default/a/b/rotate?bytes=1`, undefined, 400],
    ['the removal of what is not there', 'DELETE', `${SECRETS}/default/key/no`, undefined, 404],
  ])('refuses %s', async (_, method, path, body, status) => {
    expect((await broker.admin(method, path, body)).status).toBe(status);
  });

  it.each([
    ['an unknown key', { allowSimulated: false, attestation: {}, more: 1 }],
    ['a policy of simulations that does not allow them', { attestation: { tee: 'simulated' } }],
    ['a policy of hardware that allows simulations', { allowSimulated: true, attestation: {} }],
    ['a mistake in the attestation policy', { attestation: { vmpl: 9 } }],
  ])('refuses a policy with %s, and keeps the old one', async (_, document) => {
    const path = '/v1/tenants/default/policies/web';
    await broker.admin('PUT', path, policyDocument());
    expect(await broker.admin('PUT', path, document)).toMatchObject(refused(400, 'policy-invalid'));
    const log = await broker.admin('GET', '/v1/tenants/default/audit');
    expect((log.body['entries'] as unknown[]).at(-1)).toMatchObject({
      ...{ actor: 'admin:alice', action: 'admin-refused' },
      ...{ object: 'PUT /policies/:name', refusal: 'policy-invalid' },
    });
    const { body } = await broker.admin('GET', '/v1/tenants/default/policies');
    expect(body['policies']).toMatchObject([{ name: 'web', document: policyDocument() }]);
  });

  it('refuses a grant whose path is no pattern', async () => {
    for (const path of ['default/*', 'default/d*/x', '../a/b', 'default//x']) {
      const answer = await broker.admin('PUT', '/v1/tenants/default/grants/g', {
        path,
        policy: 'web',
      });
      expect(answer).toMatchObject(refused(400, 'policy-invalid'));
    }
  });

  it('changes nothing that the configuration declares, and revokes it all the same', async () => {
    const path = '/v1/tenants/default/grants/fixed';
    const grant = { path: 'a/b/c', policy: 'web' };
    expect(await broker.admin('PUT', path, grant)).toMatchObject(refused(409, 'broker-declared'));
    expect(await broker.admin('DELETE', path)).toMatchObject(refused(409, 'broker-declared'));
    expect((await broker.admin('PUT', `${path}/revoked`)).status).toBe(204);
    await broker.restart();
    const { body } = await broker.admin('GET', '/v1/tenants/default/grants');
    expect(body['grants']).toContainEqual(
      expect.objectContaining({ name: 'fixed', declared: true, revoked: true }),
    );
    expect(await broker.admin('PUT', '/v1/tenants/default/grants/none/revoked')).toMatchObject(
      refused(404, 'broker-no-such-record'),
    );
  });

  it('exports the audit log with its checkpoints, the last of which covers all of it', async () => {
    const { body: checkpoint } = await broker.admin(
      'GET',
      '/v1/audit/checkpoint',
      undefined,
      'olga',
    );
    const { body } = await broker.admin('GET', '/v1/audit/export', undefined, 'olga');
    const lines = body['lines'] as Record<string, unknown>[];
    expect(lines).toContainEqual(checkpoint);
    const entries = lines.filter((line) => 'body' in line);
    const [signed, exported] = entries.slice(-2);
    expect(signed).toMatchObject({ seq: checkpoint['seq'], hash: checkpoint['hash'] });
    expect(lines.at(-1)).toMatchObject({ seq: exported?.['seq'], hash: exported?.['hash'] });
    const events = [signed, exported].map((entry) => JSON.parse(String(entry?.['body'])));
    expect(events).toMatchObject([
      { actor: 'operator:olga', action: 'audit-checkpoint-signed' },
      { actor: 'operator:olga', action: 'audit-exported' },
    ]);
  });

  it('records the epoch that it enters when it starts', async () => {
    await (await openRootKeyFile(broker.directory.rootKey)).add();
    await broker.restart();
    const { body } = await broker.admin('GET', '/v1/audit/export', undefined, 'olga');
    const lines = (body['lines'] as { body?: string }[]).map((line) => line.body ?? '{}');
    expect(lines.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({
        ...{ actor: 'broker', action: 'root-key-rotated', details: { epoch: 2 } },
      }),
    );
  });

  it('rotates the root key, and serves its health and its numbers', async () => {
    await broker.admin('PUT', `${SECRETS}/default/key/kept`, Buffer.from('hunter2'));
    const { body } = await broker.admin('POST', '/v1/root-key/rotate', undefined, 'olga');
    expect(body).toEqual({ epoch: 3 });
    const at = (path: string) =>
      fetch(`http://127.0.0.1:${broker.running.ports.metrics}${path}`).then((answer) =>
        answer.text(),
      );
    expect(await at('/healthz')).toBe('ok\n');
    const numbers = await at('/metrics');
    expect(numbers).toContain('a3s_broker_root_key_epoch 3\n');
    expect(numbers).toMatch(/a3s_broker_admin_answers_total\{status="200"\} \d+\n/);
    await broker.restart();
    expect((await broker.admin('GET', SECRETS)).status).toBe(200);
  });
});
