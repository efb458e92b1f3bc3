/**
 * Gets evidence of a box as this host can: the server opens a session of its own with the guest's
 * RA-TLS server.
 *
 * The evidence proves that such a guest answered to the nonce. It does not prove that the caller's
 * own connection would end in that guest. So it is a hint, for display and for records. A relying
 * party connects to the box itself.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { MAX_LAUNCH_SPEC } from '@a3s-box/policies';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import type { RunServices } from '../run/run-services.ts';
import { openRatls } from './ratls-stream.ts';

/** The same label as in `ratls` and in the agent. */
const EXPORTER_LABEL = 'EXPORTER-a3s-box-attest-v1';
const EXPORTER_BYTES = 32;
const DEADLINE_MS = 30_000;
const MAX_REPORT = 4 * Math.ceil(4096 / 3);
const MAX_TABLE = 4 * Math.ceil((64 * 1024) / 3);
const MAX_SPEC_TEXT = 4 * Math.ceil(MAX_LAUNCH_SPEC / 3);
const MAX_ANSWER = MAX_SPEC_TEXT + MAX_TABLE + MAX_REPORT + 4096;

/**
 * What a guest answers to a challenge. It may say anything: all of it is bounded, and none
 * believed.
 */
const Attested = z.strictObject({
  evidence: z.strictObject({
    schema: z.literal('a3s-box/evidence/v1'),
    tee: z.enum(['sev-snp', 'simulated']),
    report: z.base64().max(MAX_REPORT),
    certificates: z.base64().max(MAX_TABLE).optional(),
  }),
  instance: z.string().regex(/^[0-9a-f]{32}$/),
  specDigest: z.string().regex(/^[0-9a-f]{64}$/),
  spec: z.base64().max(MAX_SPEC_TEXT),
});

export interface HostEvidence extends z.infer<typeof Attested> {
  /** REPORT_DATA follows from these values and from the guest's answer. */
  readonly session: {
    /**
     * In base64: the nonce that was sent, the guest's SubjectPublicKeyInfo, and the exporter of the
     * session.
     */
    readonly nonce: string;
    readonly publicKey: string;
    readonly exporter: string;
  };
}

/**
 * @throws A3sError `agent-failed` for an answer that breaks the protocol, `agent-timeout`, and as
 * `openRatls`
 */
export async function askEvidence(
  rt: Pick<RunServices, 'store' | 'running'>,
  id: string,
  nonce: Uint8Array,
  signal: AbortSignal,
): Promise<HostEvidence> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const stream = await openRatls(rt, id, AbortSignal.any([signal, deadline]));
  try {
    const socket = await handshake(stream);
    const der = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
    if (der === undefined) throw broken('it showed no certificate');
    const context = Buffer.from(nonce);
    const exporter = socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, context);
    const answer = narrow(Attested, await challenge(socket, context));
    if (!answer.success) throw broken('its answer is malformed', answer.error);
    const session = {
      nonce: context.toString('base64'),
      publicKey: der.toString('base64'),
      exporter: exporter.toString('base64'),
    };
    return { ...checkSpecOf(answer.data), session };
  } catch (error) {
    if (error instanceof A3sError) throw error;
    if (deadline.aborted) {
      throw new A3sError('agent-timeout', 'The guest did not answer a challenge in time');
    }
    signal.throwIfAborted();
    throw broken('the connection broke', error);
  } finally {
    stream.destroy();
  }
}

function checkSpecOf(answer: z.infer<typeof Attested>): z.infer<typeof Attested> {
  const text = Buffer.from(answer.spec, 'base64');
  const digest = createHash('sha256').update(text).digest('hex');
  if (digest === answer.specDigest) return answer;
  throw broken('it sent another launch spec than the one whose digest it names');
}

/** The certificate is self-signed. The evidence says who it belongs to. */
async function handshake(stream: Duplex): Promise<TLSSocket> {
  const socket = connectTls({
    socket: stream,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    // The handler stays for the socket's life: a guest can cause several errors, and an unhandled
    // one would end the server.
    socket.on('error', reject);
    stream.once('close', () => reject(new Error('the guest closed the connection')));
  });
  if (socket.alpnProtocol !== 'h2') throw broken('it does not speak HTTP/2');
  return socket;
}

async function challenge(socket: TLSSocket, nonce: Buffer): Promise<unknown> {
  const connection = connectHttp2('https://guest', {
    createConnection: () => socket,
    maxSessionMemory: 32,
    settings: { enablePush: false },
  });
  // Node keeps every origin that a guest claims. No guest needs to claim one, so the connection
  // ends.
  connection.on('origin', () => connection.destroy());
  try {
    return await post(connection, JSON.stringify({ nonce: nonce.toString('base64') }));
  } finally {
    connection.destroy();
  }
}

function post(connection: ClientHttp2Session, body: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.on('error', reject);
    connection.once('close', () => reject(new Error('the connection ended')));
    const stream = connection.request({
      ':method': 'POST',
      ':path': '/attest',
      'content-type': 'application/json',
    });
    let status = 0;
    let size = 0;
    const chunks: Buffer[] = [];
    stream.once('response', (headers) => {
      status = headers[':status'] ?? 0;
    });
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_ANSWER) chunks.push(chunk);
      else stream.destroy(broken(`its answer has more than ${MAX_ANSWER} bytes`));
    });
    stream.on('error', reject);
    stream.once('end', () => {
      if (status !== 200) reject(broken(`it answered a challenge with status ${status}`));
      else resolve(parse(Buffer.concat(chunks)));
    });
    stream.end(body);
  });
}

/** Undefined where the bytes are not JSON. No schema accepts undefined. */
function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

function broken(what: string, cause?: unknown): A3sError {
  return new A3sError('agent-failed', `The guest's RA-TLS server failed: ${what}`, { cause });
}
