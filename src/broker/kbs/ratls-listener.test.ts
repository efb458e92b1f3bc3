import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from '@a3s-box/ratls';
import {
  type AgentServerOptions,
  agentServer,
  agentSocket,
  guestSource,
  policyFor,
  trusting,
} from '@a3s-box/ratls/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyPin } from '../testing/certificate.ts';
import { SERVER, startTestBroker, type TestBroker } from '../testing/test-broker.ts';

const directory = mkdtempSync(join(tmpdir(), 'a3s-ratls-broker-'));
const socket = join(directory, 'agent.sock');
let agent: AsyncDisposable;
let broker: TestBroker;
beforeAll(async () => {
  agent = await agentSocket(socket, guestSource({ workload: true }));
  broker = await startTestBroker({ agent: socket, limits: 'requestsPerSecond: 1, burst: 3' });
});
afterAll(async () => {
  await broker[Symbol.asyncDispose]();
  await agent[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const trust = (changes: Parameters<typeof trusting>[1] = {}) =>
  trusting(broker.running.ports.ratls ?? 0, { peer: 'workload', ...changes });

const connectBroker = () =>
  connectHttp2(`https://127.0.0.1:${broker.running.ports.ratls}`, { rejectUnauthorized: false });

describe('a broker in a confidential box', () => {
  it('verifies the broker before a guest sends anything, and serves the KBS protocol then', async () => {
    const session = await connect(trust());
    const key = await session.fetch('/a3s/v1/guests-key');
    expect(await key.json()).toEqual({ sha256: keyPin(SERVER.cert) });
    const ask = () =>
      session.fetch('/kbs/v0/auth', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ version: '0.4.0', tee: 'a3s-simulated', 'extra-params': {} }),
      });
    const challenge = await ask();
    expect(challenge.status).toBe(200);
    expect(await challenge.json()).toMatchObject({ nonce: expect.any(String) });
    expect(challenge.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^kbs-session-id=.*Secure$/),
    ]);
    // The limits of a client are those of its other requests.
    const statuses = await Promise.all(Array.from({ length: 6 }, async () => (await ask()).status));
    expect(statuses).toContain(429);
    session.close();
  });

  it.each<[string, Parameters<typeof trusting>[1], string]>([
    [
      'another measurement',
      { policy: policyFor({ measurements: ['ab'.repeat(48)] }) },
      'appraisal',
    ],
    ['another launch spec', { policy: policyFor({ hostData: 'cd'.repeat(32) }) }, 'appraisal'],
    ['the agent of a box itself', { peer: 'agent' }, 'certificate-report-data'],
    ['no simulated box', { allowSimulated: false }, 'simulated-not-allowed'],
  ])('rejects the broker where a guest expects %s', async (_, changes, code) => {
    await expect(connect(trust(changes))).rejects.toMatchObject({ code });
  });

  it('rejects a host that passes challenges on to the broker, under the key of its own accepted box', async () => {
    const passing: AgentServerOptions['override'] = async (stream) => {
      const session = connectBroker();
      const passed = session.request({ ':method': 'POST', ':path': '/attest' });
      stream.pipe(passed);
      const answer = await text(passed);
      session.destroy();
      // Shows that the broker did answer.
      relayed.push(Object.keys(JSON.parse(answer)));
      stream.respond({ ':status': 200, 'content-type': 'application/json' });
      stream.end(answer);
      return true;
    };
    const relayed: string[][] = [];
    const source = guestSource({ workload: true });
    await using host = await agentServer({ source, override: passing });
    const refused = connect(trusting(host.port, { peer: 'workload' }));
    await expect(refused).rejects.toMatchObject({ code: 'report-data' });
    expect(relayed).toEqual([expect.arrayContaining(['evidence', 'spec'])]);
  });

  it('holds few requests of one connection at once', async () => {
    const session = connectBroker();
    const [settings] = await once(session, 'remoteSettings');
    expect(settings).toMatchObject({ maxConcurrentStreams: 4 });
    session.destroy();
  });

  it('takes 32 connections of one client, and serves others meanwhile', async () => {
    const port = broker.running.ports.ratls ?? 0;
    const held = Array.from({ length: 33 }, () => {
      return connectTcp({ host: '127.0.0.1', port, localAddress: '127.0.0.2' }).resume();
    });
    await Promise.race(held.map((one) => once(one, 'close')));
    const session = await connect(trust());
    expect((await session.fetch('/a3s/v1/guests-key')).status).toBe(200);
    session.close();
    expect(held.filter((one) => one.closed)).toHaveLength(1);
    for (const one of held) one.destroy();
  });

  it('starts no broker over RA-TLS where no agent gives evidence', async () => {
    const alone = startTestBroker({ agent: join(directory, 'none.sock') });
    await expect(alone).rejects.toMatchObject({
      code: 'broker-config',
      message: expect.stringContaining('Cannot serve over RA-TLS'),
    });
  });
});
