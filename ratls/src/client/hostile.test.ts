import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { createSimulatedState, SimulatedSecureProcessor } from '@a3s-box/attestation/simulated';
import { LaunchSpec, launchSpecText } from '@a3s-box/policies';
import { hostDataOf } from '@a3s-box/policies/host-data';
import { afterEach, describe, expect, it } from 'vitest';
import { RatlsError } from '../errors.ts';
import { attestDocument, failure } from '../server/attest.ts';
import type { EvidenceSource } from '../server/evidence-source.ts';
import { selfSigned } from '../server/self-signed.ts';
import { readBody, respondJson } from '../server/streams.ts';
import { type AgentServerOptions, agentServer } from '../testing/agent-server.ts';
import { guestSource, policyFor, specText, trusting } from '../testing/simulated-source.ts';
import { withoutKey } from '../testing/without-key.ts';
import { connect } from './connect.ts';
import { exchange, speakHttp2 } from './exchange.ts';

/** The usual spec, of a privileged box. */
function privilegedText(): string {
  const spec = LaunchSpec.parse(JSON.parse(specText()));
  return launchSpecText({ ...spec, confinement: { ...spec.confinement, privileged: true } });
}

/** HOST_DATA of a privileged box with this spec. */
function marked(spec: string): Buffer {
  const digest = createHash('sha256').update(spec).digest('hex');
  return Buffer.from(hostDataOf(digest, true), 'hex');
}

type Changes = Parameters<typeof trusting>[1];

async function refusalAt(port: number, changes: Changes = {}): Promise<RatlsError> {
  const error = await connect(trusting(port, changes)).then(
    (session) => session.close(),
    (cause: unknown) => cause,
  );
  if (error instanceof RatlsError) return error;
  throw error ?? new Error('the peer was accepted');
}

/** The error of a client that connects to a server with the given options. */
async function refusalOf(options: AgentServerOptions, changes: Changes = {}): Promise<RatlsError> {
  await using server = await agentServer(options);
  return await refusalAt(server.port, changes);
}

/** The error of a client whose challenge the server answers with `answer(nonce)`. */
async function refusalOfAnswer(
  source: EvidenceSource,
  answer: (nonce: Uint8Array, stream: ServerHttp2Stream) => object | Promise<object>,
  changes: Changes = {},
): Promise<RatlsError> {
  const override: AgentServerOptions['override'] = async (stream) => {
    const { nonce } = JSON.parse((await readBody(stream, 4096))?.toString('utf8') ?? '{}');
    respondJson(stream, 200, await answer(Buffer.from(nonce, 'base64'), stream));
    return true;
  };
  return refusalOf({ source, override }, changes);
}

/** The answer of an honest box to a nonce, over a session of the attacker. */
async function asked(port: number, nonce: Uint8Array): Promise<object> {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  const session = speakHttp2(socket);
  const body = JSON.stringify({ nonce: Buffer.from(nonce).toString('base64') });
  const answer = await exchange(session, {
    method: 'POST',
    path: '/attest',
    body,
    limit: 1 << 20,
    timeout: 30_000,
    signal: undefined,
  });
  session.destroy();
  return JSON.parse(answer.body.toString('utf8'));
}

describe('a certificate', () => {
  it('refuses a certificate whose evidence is replayed over another key', async () => {
    const genuine = guestSource();
    const recorded = await genuine.evidence(new Uint8Array(64));
    const replaying: EvidenceSource = { ...genuine, evidence: async () => recorded };
    expect(await refusalOf({ source: replaying })).toMatchObject({
      code: 'certificate-report-data',
    });
  });

  it('refuses the certificate of a box from a peer without its key', async () => {
    const source = guestSource();
    await using box = await agentServer({ source });
    await using server = await agentServer({ source, own: withoutKey(box.own.certificate) });
    const error = await refusalAt(server.port);
    expect(error.code).toBe('tls-key');
    expect(server.asked).toEqual([]);
  });

  it('refuses the certificate of a workload as one of the agent, and the reverse', async () => {
    const workload = guestSource({ workload: true });
    expect((await refusalOf({ source: workload })).code).toBe('certificate-report-data');
    const agent = await refusalOf({ source: guestSource() }, { peer: 'workload' });
    expect(agent.code).toBe('certificate-report-data');
  });

  it('refuses a certificate with a changed report before it sends a challenge', async () => {
    const genuine = guestSource();
    const source: EvidenceSource = {
      ...genuine,
      async evidence(data) {
        const evidence = await genuine.evidence(data);
        const report = Uint8Array.from(evidence.report);
        report[0x48] = (report[0x48] ?? 0) ^ 2;
        return { ...evidence, report };
      },
    };
    await using server = await agentServer({ source });
    const error = await refusalAt(server.port);
    expect(error).toMatchObject({ code: 'certificate-report', found: 'report-signature' });
    expect(server.asked).toEqual([]);
  });

  it('refuses a certificate of another launch spec than its report', async () => {
    const hostData = new Uint8Array(32).fill(1);
    expect((await refusalOf({ source: guestSource({ hostData }) })).code).toBe(
      'certificate-report',
    );
  });
});

describe('a session', () => {
  it('refuses a session that is relayed with the key of the box itself', async () => {
    await using box = await agentServer({ source: guestSource() });
    const override: AgentServerOptions['override'] = async (stream) => {
      const { nonce } = JSON.parse((await readBody(stream, 4096))?.toString('utf8') ?? '{}');
      respondJson(stream, 200, await asked(box.port, Buffer.from(nonce, 'base64')));
      return true;
    };
    const error = await refusalOf({ source: guestSource(), own: box.own, override });
    expect(error.code).toBe('report-data');
  });

  it("refuses a session that is relayed under the key of the attacker's own accepted box", async () => {
    await using box = await agentServer({ source: guestSource() });
    const error = await refusalOfAnswer(guestSource(), (nonce) => asked(box.port, nonce));
    expect(error.code).toBe('report-data');
  });

  it('refuses a session that is diverted to another accepted box, by its instance', async () => {
    const expected = { instance: '01'.repeat(16) };
    const error = await refusalOf({ source: guestSource({ instance: 2 }) }, { expect: expected });
    expect(error).toMatchObject({ code: 'expected-instance', found: '02'.repeat(16) });
  });

  it('resumes no session, even if the server would', async () => {
    await using server = await agentServer({ source: guestSource() });
    for (let round = 0; round < 3; round += 1) {
      using session = await connect(trusting(server.port));
      expect(session.peer.checks.find(({ code }) => code === 'tls-resumed')?.verdict).toBe(
        'passed',
      );
    }
    expect(server.asked).toEqual(['POST /attest', 'POST /attest', 'POST /attest']);
  });
});

describe('an answer to a challenge', () => {
  it('refuses a replayed answer to a challenge, whose nonce is another', async () => {
    const source = guestSource();
    await using box = await agentServer({ source });
    const recorded = await asked(box.port, new Uint8Array(32));
    const error = await refusalOfAnswer(source, () => recorded);
    expect(error.code).toBe('report-data');
  });

  it('refuses an answer of another box than the certificate names', async () => {
    const other = guestSource({ instance: 2 });
    const error = await refusalOfAnswer(guestSource(), async () =>
      attestDocument(await other.evidence(new Uint8Array(64))),
    );
    expect(error).toMatchObject({ code: 'attest-claims', expected: '01'.repeat(16) });
  });

  it.each([
    ['spec-digest', { spec: Buffer.from(`${specText()} `) }],
    ['spec-digest', { spec: Buffer.from(specText('another')) }],
    ['attest-claims', { specDigest: createHash('sha256').update('another').digest() }],
    ['attest-tee', { tee: 'sev-snp' as const }],
  ])('refuses an answer with false fields: %s', async (code, lie) => {
    const genuine = guestSource();
    let first = true;
    const source: EvidenceSource = {
      ...genuine,
      async evidence(data) {
        const evidence = await genuine.evidence(data);
        if (!first) return { ...evidence, ...lie };
        first = false;
        return evidence;
      },
    };
    expect((await refusalOf({ source })).code).toBe(code);
  });

  it('refuses an answer with a report of another launch spec', async () => {
    const genuine = guestSource();
    const lying = guestSource({ hostData: new Uint8Array(32).fill(1) });
    let source = genuine;
    const changing: EvidenceSource = {
      identity: () => genuine.identity(),
      evidence(data) {
        const now = source;
        source = lying;
        return now.evidence(data);
      },
    };
    expect((await refusalOf({ source: changing })).code).toBe('host-data');
  });

  it('refuses a privileged box unless the policy allows one', async () => {
    const spec = privilegedText();
    const hostData = marked(spec);
    const source = guestSource({ spec, hostData });
    expect(await refusalOf({ source })).toMatchObject({
      code: 'appraisal',
      message: expect.stringContaining('privileged'),
    });
    await using server = await agentServer({ source });
    const policy = policyFor({ allowPrivileged: true });
    using session = await connect(trusting(server.port, { policy }));
    expect(session.peer.spec).toMatchObject({ confinement: { privileged: true } });
  });

  it('refuses HOST_DATA that says another thing of privileges than the launch spec', async () => {
    const policy = policyFor({ allowPrivileged: true });
    const plain = guestSource({ hostData: marked(specText()) });
    expect((await refusalOf({ source: plain }, { policy })).code).toBe('host-data');
    const privileged = guestSource({ spec: privilegedText() });
    expect((await refusalOf({ source: privileged }, { policy })).code).toBe('host-data');
  });

  it('refuses an answer with a malformed launch spec', async () => {
    const spec = '{"schema":"a3s-box/launch-spec/v9"}';
    expect((await refusalOf({ source: guestSource({ spec }) })).code).toBe('spec-malformed');
  });

  it('refuses an answer without certificates when no other source has them', async () => {
    const error = await refusalOf({ source: guestSource({ table: false }) });
    expect(error).toMatchObject({ code: 'evidence', found: 'simulated-roots' });
    expect(error.checks.find(({ code }) => code === 'certificate-report')?.verdict).toBe('skipped');
  });

  it('refuses an answer of another installation than the pinned one', async () => {
    const state = await createSimulatedState(new Date('2026-05-01T00:00:00Z'));
    const simulatedRoots = new SimulatedSecureProcessor(state).roots();
    const error = await refusalOf({ source: guestSource() }, { simulatedRoots });
    expect(error).toMatchObject({
      code: 'certificate-report',
      message: expect.stringContaining('ca-pinned'),
    });
  });

  it.each([
    [
      'too large',
      (stream: ServerHttp2Stream) => stream.end(Buffer.alloc(7 << 20, 0x20)),
      'too-large',
    ],
    ['no JSON', (stream: ServerHttp2Stream) => stream.end('<html>'), undefined],
    ['empty', (stream: ServerHttp2Stream) => stream.end(), undefined],
    [
      'broken off',
      (stream: ServerHttp2Stream) => stream.write('{', () => stream.session?.destroy()),
      'closed',
    ],
    [
      'an object with unknown keys',
      (stream: ServerHttp2Stream) => stream.end('{"evidence":{},"more":1}'),
      undefined,
    ],
  ])('refuses an answer that is %s', async (_, answer, found) => {
    const override: AgentServerOptions['override'] = (stream) => {
      stream.respond({ ':status': 200 });
      answer(stream);
      return true;
    };
    const error = await refusalOf({ source: guestSource(), override });
    expect(error.code).toBe('attest-answer');
    if (found !== undefined) expect(error.found).toBe(found);
  });

  it('reports a refusal in answer to the challenge', async () => {
    const override: AgentServerOptions['override'] = (stream) => {
      respondJson(stream, 429, failure('rate-limited', 'too many'));
      return true;
    };
    const error = await refusalOf({ source: guestSource(), override });
    expect(error).toMatchObject({ code: 'attest-answer', found: 'rate-limited' });
  });
});

describe('a peer', () => {
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });

  async function listening(server: Server): Promise<number> {
    servers.push(server);
    server.on('connection', (socket) => sockets.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async function tlsServer(options: TlsOptions): Promise<number> {
    const { key, certificate: cert } = await selfSigned(guestSource());
    const server = createTlsServer({ key, cert, ...options });
    server.on('tlsClientError', () => {});
    server.on('secureConnection', (socket) => socket.on('error', () => {}));
    return listening(server);
  }

  it('times out on a peer that sends nothing', async () => {
    const port = await listening(createServer(() => {}));
    expect((await refusalAt(port, { timeout: 300 })).code).toBe('timeout');
  });

  it('times out on a peer that never answers the challenge', async () => {
    const error = await refusalOf(
      { source: guestSource(), override: () => true },
      { timeout: 1_500 },
    );
    expect(error.code).toBe('timeout');
  });

  it('times out on a peer that sends its answer byte by byte', async () => {
    const override: AgentServerOptions['override'] = (stream) => {
      stream.respond({ ':status': 200 });
      const timer = setInterval(() => stream.write(' '), 20);
      stream.once('close', () => clearInterval(timer));
      return true;
    };
    const error = await refusalOf({ source: guestSource(), override }, { timeout: 1_500 });
    expect(error.code).toBe('timeout');
  });

  it('distinguishes a peer that hangs up from one that speaks no TLS', async () => {
    const gone = await listening(createServer((socket) => socket.destroy()));
    expect((await refusalAt(gone)).code).toBe('unreachable');
    const plain = await listening(createServer((socket) => socket.end('HTTP/1.1 400 Bad\r\n\r\n')));
    expect((await refusalAt(plain)).code).toBe('tls-version');
  });

  it('refuses a peer with an older TLS', async () => {
    const port = await tlsServer({ maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] });
    expect((await refusalAt(port)).code).toBe('tls-version');
  });

  it('refuses a peer with HTTP/1 only', async () => {
    expect((await refusalAt(await tlsServer({}))).code).toBe('alpn');
    const port = await tlsServer({ ALPNProtocols: ['http/1.1'] });
    expect((await refusalAt(port)).code).toBe('alpn');
  });

  it('refuses a peer that negotiates HTTP/2 but sends something else', async () => {
    const { key, certificate: cert } = await selfSigned(guestSource());
    const server = createTlsServer({ key, cert, ALPNProtocols: ['h2'] }, (socket) => {
      socket.on('error', () => {});
      socket.write('this is no frame at all, and no settings either');
    });
    const error = await refusalAt(await listening(server));
    expect(error).toMatchObject({ code: 'attest-answer', found: 'protocol' });
  });

  it('refuses a peer that sends a chain of certificates', async () => {
    const other = await selfSigned(guestSource({ instance: 2 }));
    const own = await selfSigned(guestSource());
    const cert = own.certificate + other.certificate;
    const server = createSecureServer({ key: own.key, cert });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const error = await refusalAt((server.address() as AddressInfo).port);
    server.close();
    expect(error).toMatchObject({ code: 'certificate-encoding', found: 'a chain' });
  });
});
