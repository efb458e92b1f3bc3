/**
 * `POST /attest`: returns a report that is bound to the client's nonce and to the client's session.
 *
 * @module
 */
import type { ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import {
  ATTEST_EXPORTER,
  EXPORTER_SIZE,
  PURPOSES,
  ROLES,
  reportDataOf,
} from '../binding/report-data.ts';
import { AttestRequest, EVIDENCE_SCHEMA, MAX_ATTEST_REQUEST } from '../protocol/messages.ts';
import type { EvidenceSource, OwnEvidence } from './evidence-source.ts';
import { readBody, respondJson } from './streams.ts';

export interface Attester {
  readonly source: EvidenceSource;
  /** SubjectPublicKeyInfo of the server's key. */
  readonly spki: Uint8Array;
  /** Whether one more report may be requested in this session. */
  permits(stream: ServerHttp2Stream): boolean;
}

/** Answers a challenge. */
export async function attest(stream: ServerHttp2Stream, attester: Attester): Promise<void> {
  const nonce = nonceOf(await readBody(stream, MAX_ATTEST_REQUEST));
  if (nonce === undefined) {
    return respondJson(stream, 400, failure('nonce-malformed', 'a nonce has 32 to 64 bytes'));
  }
  if (!attester.permits(stream)) {
    return respondJson(stream, 429, failure('rate-limited', 'too many challenges'));
  }
  const socket = stream.session?.socket as TLSSocket | undefined;
  if (socket === undefined) return;
  const exporter = socket.exportKeyingMaterial(EXPORTER_SIZE, ATTEST_EXPORTER, Buffer.from(nonce));
  const { instance, specDigest } = await attester.source.identity();
  const [purpose, role] = [PURPOSES.session, ROLES.server];
  const { spki } = attester;
  const data = reportDataOf({ purpose, spki, nonce, exporter, role, instance, specDigest });
  respondJson(stream, 200, attestDocument(await attester.source.evidence(data)));
}

/** The answer to a challenge, and of the agent's socket. */
export function attestDocument(evidence: OwnEvidence): object {
  const { tee, report, certificates, instance, specDigest, spec } = evidence;
  return {
    evidence: {
      schema: EVIDENCE_SCHEMA,
      tee,
      report: base64(report),
      ...(certificates === undefined ? {} : { certificates: base64(certificates) }),
    },
    instance: Buffer.from(instance).toString('hex'),
    specDigest: Buffer.from(specDigest).toString('hex'),
    spec: base64(spec),
  };
}

function nonceOf(body: Buffer | undefined): Uint8Array | undefined {
  try {
    return AttestRequest.parse(JSON.parse(body?.toString('utf8') ?? '')).nonce;
  } catch {
    return undefined;
  }
}

export function failure(code: string, message: string): object {
  return { error: { code, message } };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
