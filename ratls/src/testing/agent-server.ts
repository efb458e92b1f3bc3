/**
 * An agent for tests, genuine or hostile: the protocol over TLS, each part of which can be
 * replaced.
 *
 * @module
 */
import { once } from 'node:events';
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { INJECT_EXPORTER, isSignedBy, verifyInjection } from '../binding/injection.ts';
import { EXPORTER_SIZE } from '../binding/report-data.ts';
import { SEAL_EXPORTER, type SealOperation, sealCallMessage } from '../binding/seal-call.ts';
import { attest, failure } from '../server/attest.ts';
import type { EvidenceSource } from '../server/evidence-source.ts';
import { type SelfSigned, selfSigned } from '../server/self-signed.ts';
import { readBody, respondJson } from '../server/streams.ts';

/** Answers a request; false where the agent should answer. */
export type Override = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
) => boolean | Promise<boolean>;

export interface AgentServerOptions {
  readonly source: EvidenceSource;
  readonly override?: Override;
  /** Key and certificate of another party. */
  readonly own?: SelfSigned;
  readonly tls?: SecureServerOptions;
  /** What seals; an envelope is the value behind a mark where it is not given. */
  readonly sealer?: TestSealer;
}

/** Seals and unseals for a signed call; undefined is refused. */
export interface TestSealer {
  seal(value: Buffer, purpose: string, policy: string): Promise<Uint8Array | undefined>;
  unseal(envelope: Buffer, purpose: string): Promise<Uint8Array | undefined>;
}

const MARK = 'sealed:';
const MARKING: TestSealer = {
  seal: async (value) => Buffer.concat([Buffer.from(MARK), value]),
  unseal: async (envelope) =>
    envelope.subarray(0, MARK.length).toString() === MARK
      ? envelope.subarray(MARK.length)
      : undefined,
};

export interface AgentServer {
  readonly port: number;
  readonly own: SelfSigned;
  /** What was injected: name → value. */
  readonly injected: ReadonlyMap<string, string>;
  /** Method and path of every request, in order. */
  readonly asked: readonly string[];
  readonly connections: () => number;
  /** Ends all connections, and continues to serve. */
  drop(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function agentServer(options: AgentServerOptions): Promise<AgentServer> {
  const own = options.own ?? (await selfSigned(options.source));
  const injected = new Map<string, string>();
  const asked: string[] = [];
  const sessions = new Set<ServerHttp2Session>();
  let connections = 0;
  const server = createSecureServer({
    key: own.key,
    cert: own.certificate,
    ALPNProtocols: ['h2'],
    ...options.tls,
  });
  server.on('unknownProtocol', (socket) => socket.destroy());
  server.on('session', (session) => {
    connections += 1;
    sessions.add(session);
    session.on('error', () => {});
    session.once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    asked.push(`${headers[':method']} ${headers[':path']}`);
    void handle(stream, headers, options, { own, injected });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const drop = () => {
    for (const session of sessions) session.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    own,
    injected,
    asked,
    connections: () => connections,
    drop,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      drop();
      await closed;
    },
  };
}

interface State {
  readonly own: SelfSigned;
  readonly injected: Map<string, string>;
}

async function handle(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { source, override, sealer = MARKING }: AgentServerOptions,
  { own, injected }: State,
): Promise<void> {
  if (await override?.(stream, headers)) return;
  const path = headers[':path'] ?? '';
  if (path === '/attest') {
    await attest(stream, { source, spki: own.spki, permits: () => true });
  } else if (path === '/info') {
    const { tee, instance, specDigest } = await source.identity();
    const said = { protocol: 1, tee, instance: hex(instance), specDigest: hex(specDigest) };
    respondJson(stream, 200, {
      ...said,
      secrets: [{ name: 'token', delivered: injected.has('token') }],
    });
  } else if (path === '/seal' || path === '/unseal') {
    await answerSealer(stream, path.slice(1) as SealOperation, { source, own, sealer });
  } else if (path.startsWith('/secrets/')) {
    await inject(stream, path.slice('/secrets/'.length), source, { own, injected });
  } else {
    respondJson(stream, 200, { path });
  }
}

async function inject(
  stream: ServerHttp2Stream,
  name: string,
  source: EvidenceSource,
  { own, injected }: State,
): Promise<void> {
  const body = (await readBody(stream, 1024 * 1024))?.toString('utf8') ?? '';
  const { value, key, signature } = JSON.parse(body) as Record<string, string>;
  const socket = stream.session?.socket as TLSSocket;
  const exporter = socket.exportKeyingMaterial(EXPORTER_SIZE, INJECT_EXPORTER, Buffer.from(name));
  const { instance, specDigest } = await source.identity();
  const verdict = verifyInjection(
    { exporter, spki: own.spki, instance, specDigest, name, value: bytesOf(value) },
    { key: bytesOf(key), signature: bytesOf(signature) },
  );
  if (verdict !== 'accepted') respondJson(stream, 403, failure(verdict, 'not so'));
  else if (injected.has(name)) {
    respondJson(stream, 409, failure('secret-already-delivered', 'it is there'));
  } else {
    injected.set(name, bytesOf(value).toString('utf8'));
    stream.respond({ ':status': 204 }, { endStream: true });
  }
}

async function answerSealer(
  stream: ServerHttp2Stream,
  operation: SealOperation,
  { source, own, sealer }: { source: EvidenceSource; own: SelfSigned; sealer: TestSealer },
): Promise<void> {
  const body = JSON.parse((await readBody(stream, 1024 * 1024))?.toString('utf8') ?? '');
  const { purpose, policy, minimumSvn = '', key, signature } = body;
  const [value, envelope] = [bytesOf(body.value), bytesOf(body.envelope)];
  const socket = stream.session?.socket as TLSSocket;
  const context = Buffer.from(operation);
  const exporter = socket.exportKeyingMaterial(EXPORTER_SIZE, SEAL_EXPORTER, context);
  const { instance, specDigest } = await source.identity();
  const args =
    operation === 'seal' ? [purpose, policy, `${minimumSvn}`, value] : [purpose, envelope];
  const call = { exporter, spki: own.spki, instance, specDigest, operation, arguments: args };
  if (!isSignedBy(sealCallMessage(call), bytesOf(key), bytesOf(signature))) {
    respondJson(stream, 403, failure('sealer-signature-invalid', 'not so'));
    return;
  }
  const [name, made] =
    operation === 'seal'
      ? (['envelope', await sealer.seal(value, purpose, policy)] as const)
      : (['value', await sealer.unseal(envelope, purpose)] as const);
  if (made === undefined) respondJson(stream, 403, failure('seal-broken', 'it was changed'));
  else respondJson(stream, 200, { [name]: Buffer.from(made).toString('base64') });
}

const bytesOf = (text = '') => Buffer.from(text, 'base64');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
