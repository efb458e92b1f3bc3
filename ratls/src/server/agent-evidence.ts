/**
 * Gets evidence from the agent of the own guest, under the purpose of a workload.
 *
 * @module
 */
import { request } from 'node:http';
import type * as z from 'zod';
import { REPORT_DATA_SIZE } from '../binding/report-data.ts';
import { RatlsError } from '../errors.ts';
import { AttestAnswer, IdentityAnswer, MAX_ATTEST_ANSWER } from '../protocol/messages.ts';
import type { EvidenceSource, OwnEvidence, OwnIdentity } from './evidence-source.ts';

/** Where the agent of a confidential box listens for its workload. */
export const AGENT_SOCKET = '/run/a3s/agent.sock';

const DEFAULT_TIMEOUT = 30_000;

export interface AgentOptions {
  /** `/run/a3s/agent.sock` where it is not given. */
  readonly socketPath?: string | undefined;
  /** Milliseconds that the agent has; 30 000 where it is not given. */
  readonly timeout?: number | undefined;
}

/**
 * The agent as a source of evidence. The REPORT_DATA of its reports is SHA-512 over the caller's 64
 * bytes, under the purpose `workload`; a verifier has to compute the same (`workloadReportData`).
 *
 * Its functions throw {@link RatlsError} `agent-unusable` where there is no agent, or the agent
 * refuses.
 */
export function agentEvidence(options: AgentOptions = {}): EvidenceSource {
  return {
    async identity(): Promise<OwnIdentity> {
      const { tee, instance, specDigest } = await ask(
        options,
        'GET',
        '/v1/identity',
        IdentityAnswer,
      );
      return { tee, instance: hex(instance), specDigest: hex(specDigest) };
    },
    async evidence(data: Uint8Array): Promise<OwnEvidence> {
      if (data.length !== REPORT_DATA_SIZE) {
        throw new RangeError(
          `Cannot ask for evidence: ${data.length} bytes, not ${REPORT_DATA_SIZE}`,
        );
      }
      const body = JSON.stringify({ data: Buffer.from(data).toString('base64') });
      const answer = await ask(options, 'POST', '/v1/evidence', AttestAnswer, body);
      const { evidence, instance, specDigest, spec } = answer;
      const { tee, report, certificates } = evidence;
      return {
        tee,
        report,
        certificates,
        instance: hex(instance),
        specDigest: hex(specDigest),
        spec,
      };
    },
  };
}

async function ask<Schema extends z.ZodType>(
  options: AgentOptions,
  method: string,
  path: string,
  schema: Schema,
  body?: string,
): Promise<z.output<Schema>> {
  try {
    const { status, text } = await exchange(options, method, path, body);
    if (status !== 200) throw new Error(`status ${status}: ${text.slice(0, 256)}`);
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RatlsError('agent-unusable', `Cannot get evidence from the agent: ${reason}`, {
      remedy: 'Run this in a confidential box, as a user who may open /run/a3s/agent.sock.',
      cause,
    });
  }
}

interface Exchanged {
  readonly status: number;
  readonly text: string;
}

function exchange(
  { socketPath = AGENT_SOCKET, timeout = DEFAULT_TIMEOUT }: AgentOptions,
  method: string,
  path: string,
  body: string | undefined,
): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'a3s', 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(timeout);
    const sent = request({ socketPath, method, path, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length > MAX_ATTEST_ANSWER) response.destroy(new Error('it answers with too much'));
      });
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
