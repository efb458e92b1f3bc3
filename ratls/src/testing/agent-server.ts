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
import { INJECT_EXPORTER, verifyInjection } from '../binding/injection.ts';
import { EXPORTER_SIZE } from '../binding/report-data.ts';
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
}

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
  { source, override }: AgentServerOptions,
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
  const bytes = (text = '') => Buffer.from(text, 'base64');
  const verdict = verifyInjection(
    { exporter, spki: own.spki, instance, specDigest, name, value: bytes(value) },
    { key: bytes(key), signature: bytes(signature) },
  );
  if (verdict !== 'accepted') respondJson(stream, 403, failure(verdict, 'not so'));
  else if (injected.has(name)) {
    respondJson(stream, 409, failure('secret-already-delivered', 'it is there'));
  } else {
    injected.set(name, bytes(value).toString('utf8'));
    stream.respond({ ':status': 204 }, { endStream: true });
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
