import { createPublicKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyEarCwt, verifyEarJwt } from '@a3s-box/attestation/ear';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOW } from '../testing/fixtures.ts';
import {
  launchGuest,
  policyDocument,
  startTestBroker,
  type TestBroker,
} from '../testing/test-broker.ts';
import { TestGuest } from '../testing/test-guest.ts';

const TENANT = '/v1/tenants/default';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker({ limits: 'requestsPerSecond: 10000, burst: 10000' });
  await broker.admin('PUT', `${TENANT}/policies/web`, policyDocument());
  await broker.admin('PUT', `${TENANT}/grants/db`, { path: 'default/db/*', policy: 'web' });
});
afterAll(async () => {
  expect(broker.errors).toEqual([]);
  await broker[Symbol.asyncDispose]();
});

const guest = () => new TestGuest((path) => broker.url(path), launchGuest());
const refusedWith = (status: number, code: string) => ({
  status,
  body: { type: `urn:a3s-box:error:${code}`, detail: code },
});

async function lastEntry(): Promise<Record<string, unknown>> {
  const { body } = await broker.admin('GET', `${TENANT}/audit`);
  return (body['entries'] as Record<string, unknown>[]).at(-1) ?? {};
}

function termsOf(nonce: Uint8Array) {
  const pem = readFileSync(join(broker.directory.path, 'results.key'), 'utf8');
  const publicKey = createPublicKey(pem).export({ type: 'spki', format: 'der' });
  const keys = [{ algorithm: 'EdDSA' as const, publicKey }];
  return { keys, nonce, now: NOW, maxAgeSeconds: 300 };
}

const verified = (token: unknown, nonce: Uint8Array) => verifyEarJwt(String(token), termsOf(nonce));

describe('an attestation result of the broker', () => {
  it('says over a nonce of its own what a guest is, by which policy, and affirms no simulation', async () => {
    const one = guest();
    const nonce = randomBytes(64);
    const answer = await one.result(await one.enter(), { nonce: nonce.toString('base64') });
    expect(answer.status).toBe(200);
    const { submods } = await verified(answer.body['token'], nonce);
    expect([...submods.keys()]).toEqual(['simulated']);
    expect(submods.get('simulated')).toMatchObject({
      status: 'contraindicated',
      policyIds: ['default/web'],
    });
    expect(await lastEntry()).toMatchObject({
      action: 'result-issued',
      details: { policy: 'web', nonce: nonce.toString('hex') },
    });
    const other = verified(answer.body['token'], randomBytes(64));
    await expect(other).rejects.toMatchObject({ code: 'ear-nonce' });
  });

  it('comes as a CWT to a guest that asks for one', async () => {
    const one = guest();
    const nonce = randomBytes(32);
    const request = { nonce: nonce.toString('base64'), format: 'cwt' };
    const { status, body } = await one.result(await one.enter(), request);
    expect(status).toBe(200);
    const token = Buffer.from(String(body['token']), 'base64');
    const { submods } = await verifyEarCwt(token, termsOf(nonce));
    expect(submods.get('simulated')).toMatchObject({
      status: 'contraindicated',
      policyIds: ['default/web'],
    });
    const changed = token.with(-1, (token.at(-1) ?? 0) ^ 1);
    await expect(verifyEarCwt(changed, termsOf(nonce))).rejects.toMatchObject({
      code: 'ear-signature',
    });
  });

  it.each([
    ['nothing', {}],
    ['a short one', { nonce: Buffer.alloc(7).toString('base64') }],
    ['a long one', { nonce: Buffer.alloc(65).toString('base64') }],
    ['another spelling', { nonce: 'AAAAAAAAAAB=' }],
    ['a result of another format', { nonce: Buffer.alloc(8).toString('base64'), format: 'pdf' }],
    ['more', { nonce: Buffer.alloc(8).toString('base64'), policy: 'web' }],
  ])('refuses %s in place of a nonce', async (_, request) => {
    const one = guest();
    expect(await one.result(await one.enter(), request)).toMatchObject(
      refusedWith(400, 'kbs-request'),
    );
  });

  it('refuses a guest without a session, and one that is not accepted any more', async () => {
    const one = guest();
    const request = { nonce: Buffer.alloc(8).toString('base64') };
    expect(await one.result('', request)).toMatchObject(refusedWith(401, 'kbs-session'));
    const cookie = await one.enter();
    await broker.admin('PUT', `${TENANT}/policies/web/revoked`, {});
    expect(await one.result(cookie, request)).toMatchObject(refusedWith(403, 'kbs-denied'));
    expect(await lastEntry()).toMatchObject({
      action: 'result-refused',
      check: 'policy web: revoked',
    });
    await broker.admin('DELETE', `${TENANT}/policies/web/revoked`);
  });
});
