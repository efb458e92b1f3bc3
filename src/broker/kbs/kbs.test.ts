import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  HOST_DATA,
  launchGuest,
  policyDocument,
  startTestBroker,
  type TestBroker,
} from '../testing/test-broker.ts';
import { TestGuest } from '../testing/test-guest.ts';

const PATH = 'default/db/password';
const GENEROUS = 'requestsPerSecond: 10000, burst: 10000';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker({ limits: GENEROUS });
  await broker.admin('PUT', '/v1/tenants/default/policies/web', policyDocument());
  await broker.admin('PUT', '/v1/tenants/default/grants/db', {
    path: 'default/db/*',
    policy: 'web',
  });
  await broker.admin('PUT', `/v1/tenants/default/secrets/${PATH}`, Buffer.from('hunter2'));
  await broker.admin('PUT', '/v1/tenants/default/secrets/default/other/x', Buffer.from('other'));
});
afterAll(async () => {
  expect(broker.errors).toEqual([]);
  await broker[Symbol.asyncDispose]();
});

const guest = (kernel?: string, hostData?: Uint8Array<ArrayBuffer>) =>
  new TestGuest((path) => broker.url(path), launchGuest(kernel, hostData));

/** The last entry of the tenant's audit log. */
async function lastEntry(): Promise<Record<string, unknown>> {
  const { body } = await broker.admin('GET', '/v1/tenants/default/audit');
  return (body['entries'] as Record<string, unknown>[]).at(-1) ?? {};
}

const refusedWith = (status: number, code: string) => ({
  status,
  body: { type: `urn:a3s-box:error:${code}`, detail: code },
});

describe('a guest of the broker', () => {
  it("releases a secret, encrypted to the guest's key, and records by which policy", async () => {
    const one = guest();
    const { status, body } = await one.resource(await one.enter(), PATH);
    expect(status).toBe(200);
    expect(one.decrypt(body)).toBe('hunter2');
    expect(await lastEntry()).toMatchObject({
      action: 'resource-released',
      object: PATH,
      actor: 'guest:127.0.0.1',
      details: { grant: 'db', policy: 'web', version: 1, tee: 'a3s-simulated' },
    });
  });

  it('gets a nonce of 32 bytes, the chosen hash, and a token that Trustee reads', async () => {
    const one = guest();
    const { body, cookie, nonce } = await one.challenge();
    expect(Buffer.from(nonce, 'base64')).toHaveLength(32);
    expect(body['extra-params']).toEqual({ 'selected-hash-algorithm': 'sha384' });
    const answer = await one.attest(cookie, one.attestation(nonce));
    const token = String(answer.body['token']);
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(claims.exp - claims.nbf).toBe(300);
    const released = await one.resourceByToken(token, PATH);
    expect(one.decrypt(released.body)).toBe('hunter2');
    expect(await one.resourceByToken(`${token.slice(0, 5)}.e30.x`, PATH)).toMatchObject(
      refusedWith(401, 'kbs-session'),
    );
  });

  it.each([
    ['an empty text', ''],
    ['an empty object', {}],
    [
      'all hashes of kbs-types',
      { 'supported-hash-algorithms': ['sha256', 'sha384', 'sha512', 'sm3'] },
    ],
  ])('chooses SHA-384 for a guest whose extra parameters are %s', async (_, extra) => {
    const { status, body } = await guest().challenge('a3s-simulated', extra);
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(['extra-params', 'nonce']);
    expect(body['extra-params']).toEqual({ 'selected-hash-algorithm': 'sha384' });
  });

  it('learns of a missing resource only where it may have one', async () => {
    const one = guest();
    const cookie = await one.enter();
    expect(await one.resource(cookie, 'default/db/nothing')).toMatchObject(
      refusedWith(404, 'kbs-no-resource'),
    );
    expect(await one.resource(cookie, 'default/other/nothing')).toMatchObject(
      refusedWith(403, 'kbs-denied'),
    );
    expect(await one.resource(cookie, 'default/other/x')).toMatchObject(
      refusedWith(403, 'kbs-denied'),
    );
    expect(await lastEntry()).toMatchObject({ refusal: 'kbs-denied', check: 'no grant' });
  });

  it('gets nothing of another tenant', async () => {
    const one = guest();
    const cookie = await one.enter();
    expect(
      await one.resource(cookie, `../../../tenants/other/kbs/v0/resource/${PATH}`),
    ).toMatchObject(refusedWith(401, 'kbs-session'));
    const elsewhere = new TestGuest((path) => broker.url(`/tenants/nobody${path}`), launchGuest());
    expect(await elsewhere.challenge()).toMatchObject(refusedWith(401, 'kbs-session'));
  });
});

describe('a hostile guest', () => {
  it('refuses a replayed nonce, with the same or with new evidence', async () => {
    const one = guest();
    const { cookie, nonce } = await one.challenge();
    const attestation = one.attestation(nonce);
    expect((await one.attest(cookie, attestation)).status).toBe(200);
    expect(await one.attest(cookie, attestation)).toMatchObject(refusedWith(401, 'kbs-session'));
    const other = await one.challenge();
    expect(await one.attest(other.cookie, attestation)).toMatchObject(
      refusedWith(401, 'kbs-evidence'),
    );
    expect(await lastEntry()).toMatchObject({ action: 'attestation-refused', check: 'nonce' });
    // The challenge is gone with the attempt.
    expect(await one.attest(other.cookie, one.attestation(other.nonce))).toMatchObject(
      refusedWith(401, 'kbs-session'),
    );
  });

  it('refuses old evidence under a new nonce', async () => {
    const one = guest();
    const first = await one.challenge();
    const old = one.attestation(first.nonce);
    const { cookie, nonce } = await one.challenge();
    const runtime = { ...old['runtime-data'], nonce };
    expect(await one.attest(cookie, { ...old, 'runtime-data': runtime })).toMatchObject(
      refusedWith(401, 'kbs-evidence'),
    );
    expect(await lastEntry()).toMatchObject({ check: 'report-data' });
  });

  it('refuses a key beside the evidence of another guest', async () => {
    const [victim, thief] = [guest(), guest()];
    const { cookie, nonce } = await victim.challenge();
    const stolen = victim.attestation(nonce);
    const runtime = { nonce, 'tee-pubkey': thief.teeKey };
    expect(await thief.attest(cookie, { ...stolen, 'runtime-data': runtime })).toMatchObject(
      refusedWith(401, 'kbs-evidence'),
    );
    expect(await lastEntry()).toMatchObject({ check: 'report-data' });
  });

  it('cannot read what it gets with the stolen cookie of another guest', async () => {
    const [victim, thief] = [guest(), guest()];
    const cookie = await victim.enter();
    const { body } = await thief.resource(cookie, PATH);
    expect(() => thief.decrypt(body)).toThrow();
    const { nonce } = await thief.challenge();
    expect(await thief.attest(cookie, thief.attestation(nonce))).toMatchObject(
      refusedWith(401, 'kbs-session'),
    );
    expect(victim.decrypt((await victim.resource(cookie, PATH)).body)).toBe('hunter2');
  });

  it('refuses a cookie that is made up, given twice, or of a challenge alone', async () => {
    const one = guest();
    const { cookie } = await one.challenge();
    for (const each of ['', 'kbs-session-id=x', cookie, `${cookie}; ${cookie}`]) {
      expect(await one.resource(each, PATH)).toMatchObject(refusedWith(401, 'kbs-session'));
    }
  });

  it.each([
    ['another kernel', 'other kernel', HOST_DATA, 'policy web: measurement'],
    ['another launch spec', 'kernel', new Uint8Array(32), 'policy web: host-data'],
  ])('gets no session with %s', async (_, kernel, hostData, check) => {
    const one = guest(kernel, hostData);
    const { cookie, nonce } = await one.challenge();
    expect(await one.attest(cookie, one.attestation(nonce))).toMatchObject(
      refusedWith(401, 'kbs-evidence'),
    );
    expect(await lastEntry()).toMatchObject({ refusal: 'kbs-evidence', check });
  });

  it('refuses simulated evidence in place of that of hardware', async () => {
    const one = guest();
    const { cookie, nonce } = await one.challenge('snp');
    expect(await one.attest(cookie, one.attestation(nonce))).toMatchObject(
      refusedWith(401, 'kbs-evidence'),
    );
    expect(await lastEntry()).toMatchObject({ action: 'attestation-refused' });
  });

  it('refuses init-data that HOST_DATA does not have, and takes those that it has', async () => {
    const body = 'version = "0.1.0"\nalgorithm = "sha256"\n';
    const digest = Uint8Array.from(createHash('sha256').update(body).digest());
    const policy = policyDocument();
    const attestation = { ...policy.attestation, hostData: Buffer.from(digest).toString('hex') };
    const url = '/v1/tenants/default/policies/initialised';
    await broker.admin('PUT', url, { ...policy, attestation });
    const grant = { path: 'default/init/*', policy: 'initialised' };
    await broker.admin('PUT', '/v1/tenants/default/grants/init', grant);
    for (const [hostData, status] of [
      [HOST_DATA, 401],
      [digest, 200],
    ] as const) {
      const one = guest('kernel', hostData);
      const { cookie, nonce } = await one.challenge();
      const initData = { 'init-data': { format: 'toml', body } };
      const answer = await one.attest(cookie, one.attestation(nonce, initData));
      expect(answer.status).toBe(status);
    }
  });

  it.each([
    ['no JSON object', 'text'],
    ['another version', { version: '0.3.0', tee: 'snp' }],
    ['a processor that is not verified', { version: '0.4.0', tee: 'sample' }],
    ['an unknown member', { version: '0.4.0', tee: 'snp', more: 1 }],
    [
      'no hash that is known',
      { version: '0.4.0', tee: 'snp', 'extra-params': { 'supported-hash-algorithms': ['md5'] } },
    ],
  ])('refuses a challenge to a request with %s', async (_, body) => {
    const response = await fetch(broker.url('/kbs/v0/auth'), {
      method: 'POST',
      body: JSON.stringify(body),
    });
    // As Trustee's protocol has it, "such as if the KBS rejects the Request based on `version`".
    expect({ status: response.status, body: await response.json() }).toEqual(
      refusedWith(401, 'kbs-request'),
    );
  });

  it('refuses a body that is longer than one may be', async () => {
    const response = await fetch(broker.url('/kbs/v0/attest'), {
      method: 'POST',
      body: 'x'.repeat(300_000),
    });
    expect(response.status).toBe(413);
    await response.arrayBuffer();
  });

  it('refuses the evidence of other devices, which nothing verifies', async () => {
    const one = guest();
    const { cookie, nonce } = await one.challenge();
    const attestation = one.attestation(nonce);
    const evidence = { ...attestation['tee-evidence'], additional_evidence: '{"gpu":"…"}' };
    expect(await one.attest(cookie, { ...attestation, 'tee-evidence': evidence })).toMatchObject(
      refusedWith(401, 'kbs-request'),
    );
  });
});

describe('a client with too many sessions', () => {
  it('ends the oldest challenge of a client beyond its sessions, and does not log that', async () => {
    await using other = await startTestBroker({ limits: GENEROUS });
    const one = new TestGuest((path) => other.url(path), launchGuest());
    const first = await one.challenge();
    for (let n = 0; n < 127; n += 1) expect((await one.challenge()).status).toBe(200);
    // This broker has no policy: what it refuses of the newest is the evidence.
    const newest = await one.challenge();
    expect(await one.attest(first.cookie, one.attestation(first.nonce))).toMatchObject(
      refusedWith(401, 'kbs-session'),
    );
    expect(await one.attest(newest.cookie, one.attestation(newest.nonce))).toMatchObject(
      refusedWith(401, 'kbs-evidence'),
    );
    expect(other.errors).toEqual([]);
  });
});

describe('the end of a session', () => {
  it('gives the session that ends no resource any more, and answers alike for none', async () => {
    const one = guest();
    const cookie = await one.enter();
    expect(await one.end(cookie)).toBe(204);
    expect(await one.resource(cookie, PATH)).toMatchObject(refusedWith(401, 'kbs-session'));
    for (const each of [cookie, 'kbs-session-id=x', '']) expect(await one.end(each)).toBe(204);
  });

  it('leaves sessions of its host to other guests, however often one attests', async () => {
    const flooding = guest();
    const cookies: string[] = [];
    for (let n = 0; n < 130; n += 1) cookies.push(await flooding.enter());
    const other = guest();
    const { body } = await other.resource(await other.enter(), PATH);
    expect(other.decrypt(body)).toBe('hunter2');
    const statuses = [0, -17, -16, -1].map(async (at) => {
      return (await flooding.resource(cookies.at(at) ?? '', PATH)).status;
    });
    expect(await Promise.all(statuses)).toEqual([401, 401, 200, 200]);
  });
});

describe('what is revoked or removed', () => {
  it('refuses an attested guest at once when its policy is revoked, until that is lifted', async () => {
    const one = guest();
    const cookie = await one.enter();
    const url = '/v1/tenants/default/policies/web/revoked';
    expect((await broker.admin('PUT', url)).status).toBe(204);
    expect(await one.resource(cookie, PATH)).toMatchObject(refusedWith(403, 'kbs-denied'));
    expect(await lastEntry()).toMatchObject({ check: 'policy web: revoked' });
    const { cookie: next, nonce } = await one.challenge();
    expect((await one.attest(next, one.attestation(nonce))).status).toBe(401);
    expect((await broker.admin('DELETE', url)).status).toBe(204);
    expect((await one.resource(cookie, PATH)).status).toBe(200);
  });

  it('refuses an attested guest at once when its grant is revoked', async () => {
    const one = guest();
    const cookie = await one.enter();
    const url = '/v1/tenants/default/grants/db/revoked';
    await broker.admin('PUT', url);
    expect(await one.resource(cookie, PATH)).toMatchObject(refusedWith(403, 'kbs-denied'));
    expect(await lastEntry()).toMatchObject({ check: 'grant db: revoked' });
    await broker.admin('DELETE', url);
  });

  it('ends the sessions of a tenant', async () => {
    const one = guest();
    const cookie = await one.enter();
    await broker.admin('DELETE', '/v1/tenants/default/sessions');
    expect(await one.resource(cookie, PATH)).toMatchObject(refusedWith(401, 'kbs-session'));
  });

  it('gives the newest value of a secret to a session that began before it', async () => {
    const one = guest();
    const cookie = await one.enter();
    await broker.admin('PUT', '/v1/tenants/default/secrets/default/db/new', Buffer.from('first'));
    await broker.admin('PUT', '/v1/tenants/default/secrets/default/db/new', Buffer.from('second'));
    const { body } = await one.resource(cookie, 'default/db/new');
    expect(one.decrypt(body)).toBe('second');
  });
});
