/**
 * Gets evidence from the agent of the own guest, under the purpose of a workload.
 *
 * @module
 */
import type * as z from 'zod';
import { REPORT_DATA_SIZE } from '../binding/report-data.ts';
import { RatlsError } from '../errors.ts';
import { AttestAnswer, IdentityAnswer, MAX_ATTEST_ANSWER } from '../protocol/messages.ts';
import { type AgentOptions, requestOfAgent } from './agent-request.ts';
import type { EvidenceSource, OwnEvidence, OwnIdentity } from './evidence-source.ts';

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
    const asked = { method, path, body, longest: MAX_ATTEST_ANSWER };
    const { status, text } = await requestOfAgent(options, asked);
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

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
