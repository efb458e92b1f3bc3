import { createHash, generateKeyPairSync } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectOptions } from '../index.ts';
import { RATLS_CHECKS, RatlsError, type RatlsSession } from '../index.ts';
import { type AgentServer, agentServer } from '../testing/agent-server.ts';
import {
  guestSource,
  PROCESSOR,
  policyFor,
  specText,
  trusting,
} from '../testing/simulated-source.ts';
import { connect } from './connect.ts';

async function refusal(options: ConnectOptions): Promise<RatlsError> {
  let session: RatlsSession;
  try {
    session = await connect(options);
  } catch (error) {
    if (error instanceof RatlsError) return error;
    throw error;
  }
  session.close();
  throw new Error('the peer was accepted');
}

let agent: AgentServer;
beforeAll(async () => {
  agent = await agentServer({ source: guestSource() });
});
afterAll(() => agent[Symbol.asyncDispose]());

describe('connect', () => {
  it('opens a session with a box that passes every check', async () => {
    using session = await connect(trusting(agent.port));
    const { peer } = session;
    expect(peer).toMatchObject({ tee: 'simulated', simulated: true, instance: '01'.repeat(16) });
    expect(peer.specText).toBe(specText());
    expect(peer.specDigest).toBe(createHash('sha256').update(specText()).digest('hex'));
    expect(peer.claims.hostData).toBe(peer.specDigest);
    expect(peer.claims.reportData).toBe(Buffer.from(peer.reportData).toString('hex'));
    expect(peer.spec.deployment).toBe('test');
    expect(peer.appraisal.accepted).toBe(true);
    expect(peer.submod).toMatchObject({ status: 'contraindicated', key: agent.own.spki });
    expect(peer.checks.map(({ code }) => code)).toEqual(Object.keys(RATLS_CHECKS));
    const skipped = peer.checks.filter(({ verdict }) => verdict !== 'passed');
    expect(skipped.map(({ code }) => code)).toEqual([
      'expected-spec',
      'expected-instance',
      'expected-deployment',
    ]);
  });

  it('sends nothing but the challenge before the verdict', async () => {
    await using fresh = await agentServer({ source: guestSource() });
    using _ = await connect(trusting(fresh.port));
    expect(fresh.asked).toEqual(['POST /attest']);
  });

  it('accepts the box that the caller expects', async () => {
    const expected = {
      specDigest: createHash('sha256').update(specText()).digest('hex').toUpperCase(),
      instance: '01'.repeat(16),
      deployment: 'test',
    };
    using session = await connect(trusting(agent.port, { expect: expected }));
    expect(session.peer.checks.every(({ verdict }) => verdict === 'passed')).toBe(true);
  });

  it.each([
    ['expected-spec', { specDigest: '00'.repeat(32) }],
    ['expected-instance', { instance: '02'.repeat(16) }],
    ['expected-deployment', { deployment: 'another' }],
  ])('refuses a box that the caller does not expect: %s', async (code, expected) => {
    const error = await refusal(trusting(agent.port, { expect: expected }));
    expect(error.code).toBe(code);
    expect(error.checks.find(({ verdict }) => verdict === 'failed')?.code).toBe(code);
  });

  it('accepts simulated evidence only where policy and caller both allow it', async () => {
    const unsaid = trusting(agent.port, { allowSimulated: false });
    expect((await refusal(unsaid)).code).toBe('simulated-not-allowed');
    const hardware = policyFor({ tee: 'sev-snp' });
    const error = await refusal(trusting(agent.port, { policy: hardware }));
    expect(error).toMatchObject({ code: 'certificate-tee', found: 'simulated' });
  });

  it('accepts simulated evidence of the installation whose roots are given', async () => {
    const simulatedRoots = PROCESSOR.roots();
    using session = await connect(trusting(agent.port, { simulatedRoots }));
    expect(session.peer.simulated).toBe(true);
  });

  it('reports the check of the policy that failed', async () => {
    const policy = policyFor({ measurements: ['00'.repeat(48)] });
    const error = await refusal(trusting(agent.port, { policy }));
    expect(error).toMatchObject({ code: 'appraisal', expected: '00'.repeat(48) });
    expect(error.appraisal?.code).toBe('measurement');
    expect(error.message).toContain('measurement');
  });

  it('throws a TypeError for a policy that was not parsed', async () => {
    const policy = { ...policyFor() };
    await expect(connect(trusting(agent.port, { policy }))).rejects.toThrow(TypeError);
  });

  it('reports a peer that cannot be reached', async () => {
    const gone = await agentServer({ source: guestSource() });
    await gone[Symbol.asyncDispose]();
    expect((await refusal(trusting(gone.port))).code).toBe('unreachable');
  });

  it('aborts a connection by its signal', async () => {
    const signal = AbortSignal.abort();
    expect((await refusal(trusting(agent.port, { signal }))).code).toBe('aborted');
  });
});

describe('a session', () => {
  it('sends requests over a session and returns their answers', async () => {
    using session = await connect(trusting(agent.port));
    const response = await session.fetch('/hello?who=me', { headers: { accept: '*/*' } });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ path: '/hello?who=me' });
    expect(await session.info()).toMatchObject({ protocol: 1, instance: '01'.repeat(16) });
  });

  it('closes a session, and refuses requests after that', async () => {
    const session = await connect(trusting(agent.port));
    session.close();
    await session.closed;
    expect(session.ended).toBe(true);
    await expect(session.fetch('/')).rejects.toMatchObject({ code: 'closed' });
    await expect(session.info()).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('injecting a secret', () => {
  const injector = generateKeyPairSync('ed25519');
  const spki = injector.publicKey.export({ format: 'der', type: 'spki' });
  const spec = specText('test', [
    {
      name: 'token',
      injectors: [createHash('sha256').update(spki).digest('hex')],
      allowAnyInjector: false,
      delivery: { kind: 'file' },
    },
  ]);
  const value = Buffer.from('the secret');

  it('injects a secret once', async () => {
    await using box = await agentServer({ source: guestSource({ spec }) });
    using session = await connect(trusting(box.port));
    await session.injectSecret('token', value, injector.privateKey);
    expect(box.injected.get('token')).toBe('the secret');
    const again = session.injectSecret('token', value, injector.privateKey);
    await expect(again).rejects.toMatchObject({ code: 'secret-already-delivered' });
  });

  it('sends no secret that the verified launch spec does not permit', async () => {
    await using box = await agentServer({ source: guestSource({ spec }) });
    using session = await connect(trusting(box.port));
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
    const { privateKey } = injector;
    const cases = [
      ['no-such-secret', session.injectSecret('nothing', value, privateKey)],
      ['injector-not-permitted', session.injectSecret('token', value, other)],
      ['secret-too-large', session.injectSecret('token', Buffer.alloc(65_537), privateKey)],
    ] as const;
    for (const [code, injection] of cases) await expect(injection).rejects.toMatchObject({ code });
    expect(box.asked).toEqual(['POST /attest']);
  });

  it('reports that the agent refused a secret', async () => {
    await using box = await agentServer({
      source: guestSource({ spec }),
      override: (stream, headers) => answerOf(stream, headers[':path']),
    });
    using session = await connect(trusting(box.port));
    const injection = session.injectSecret('token', value, injector.privateKey);
    await expect(injection).rejects.toMatchObject({
      ...{ code: 'refused', found: 'out-of-tune' },
      message: expect.stringContaining('no (secrets.injectors of the launch spec decides)'),
    });
  });
});

function answerOf(stream: ServerHttp2Stream, path = ''): boolean {
  if (!path.startsWith('/secrets/')) return false;
  stream.respond({ ':status': 418 });
  stream.end('{"error":{"code":"out-of-tune","message":"no","rule":"secrets.injectors"}}');
  return true;
}
