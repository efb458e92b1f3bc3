/**
 * Fulcio and Rekor as the real cosign calls them, in front of a sigstore of a test.
 *
 * @module
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as z from 'zod';
import { BODIES, base64, pemOf } from './signatures.ts';
import { ISSUER, type SigstoreWorld, SUBJECT } from './sigstore-world.ts';

const CertificateRequest = z.object({ publicKey: z.object({ content: z.string() }) });
/** The algorithm, and the head of an OCTET STRING of 32 bytes. */
const SHA256_IMPRINT = Buffer.from('300d060960864801650304020105000420', 'hex');

const ProposedEnvelope = z.object({
  kind: z.literal('dsse'),
  spec: z.object({
    proposedContent: z.object({ envelope: z.string(), verifiers: z.tuple([z.string()]) }),
  }),
});
const Envelope = z.object({
  payload: z.string(),
  signatures: z.tuple([z.object({ sig: z.string() })]),
});

export interface SigstoreServices {
  readonly url: string;
  /** For cosign, with files in `directory`. */
  environment(directory: string): Record<string, string>;
  /** Nobody checks who signed it. */
  readonly token: string;
  stop(): Promise<void>;
}

export async function startSigstore(world: SigstoreWorld): Promise<SigstoreServices> {
  const server = createServer((request, response) => {
    answer(world, request).then(
      ({ type, body }) => response.writeHead(201, { 'content-type': type }).end(body),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    environment: (directory) => writeTrust(world, directory),
    token: tokenOf({
      iss: ISSUER,
      sub: SUBJECT,
      aud: 'sigstore',
      exp: Math.floor(Date.now() / 1000) + 600,
    }),
    stop: async () => await stop(server),
  };
}

async function answer(
  world: SigstoreWorld,
  request: IncomingMessage,
): Promise<{ type: string; body: string | Buffer }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  if (request.url === '/api/v1/timestamp') {
    return { type: 'application/timestamp-reply', body: await world.stampHash(imprintOf(bytes)) };
  }
  const asked: unknown = JSON.parse(bytes.toString());
  if (request.url === '/api/v1/signingCert') {
    const { publicKey } = CertificateRequest.parse(asked);
    const certificate = await world.certify(keyFrom(Buffer.from(publicKey.content, 'base64')));
    const type = 'application/pem-certificate-chain';
    return { type, body: pemOf(certificate) + pemOf(authorityOf(world)) };
  }
  if (request.url === '/api/v1/log/entries') {
    const answered = await world.logAnswer(canonical(asked));
    return { type: 'application/json', body: JSON.stringify(answered) };
  }
  throw new Error(`nothing at ${request.url}`);
}

/** Rekor keeps the hashes of an envelope that it is sent, and not the envelope. */
function canonical(asked: unknown): object {
  const proposed = ProposedEnvelope.safeParse(asked);
  if (!proposed.success) return z.looseObject({}).parse(asked);
  const { envelope, verifiers } = proposed.data.spec.proposedContent;
  const { payload, signatures } = Envelope.parse(JSON.parse(envelope));
  const parts = {
    payload: Buffer.from(payload, 'base64'),
    enveloped: true,
    signature: Buffer.from(signatures[0].sig, 'base64'),
  };
  return BODIES.dsse(parts, Buffer.from(verifiers[0], 'base64').toString());
}

/** The SHA-256 hash that a time-stamp request (RFC 3161 section 2.4.1) is about. */
function imprintOf(request: Buffer): Buffer {
  const start = request.indexOf(SHA256_IMPRINT) + SHA256_IMPRINT.length;
  return request.subarray(start, start + 32);
}

function writeTrust({ root }: SigstoreWorld, directory: string): Record<string, string> {
  const write = (name: string, content: string): string => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const keyOf = (der: Buffer | undefined) => pemOf(keyFrom(der ?? Buffer.alloc(0)));
  return {
    SIGSTORE_ROOT_FILE: write('fulcio.pem', pemOf(authorityOf({ root }))),
    SIGSTORE_REKOR_PUBLIC_KEY: write('rekor.pub', keyOf(root.tlogs[0]?.publicKey?.rawBytes)),
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: write('ct.pub', keyOf(root.ctlogs[0]?.publicKey?.rawBytes)),
  };
}

function authorityOf({ root }: Pick<SigstoreWorld, 'root'>): Buffer {
  const [authority] = root.certificateAuthorities;
  return authority?.certChain?.certificates[0]?.rawBytes ?? Buffer.alloc(0);
}

function keyFrom(bytes: Buffer): KeyObject {
  return bytes.includes('-----BEGIN')
    ? createPublicKey(bytes)
    : createPublicKey({ key: bytes, format: 'der', type: 'spki' });
}

function tokenOf(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return `${unsigned}.${Buffer.from(base64('nobody')).toString('base64url')}`;
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
