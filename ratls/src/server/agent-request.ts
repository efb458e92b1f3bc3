/**
 * Sends requests to the agent of the own guest.
 *
 * @module
 */
import { request } from 'node:http';

/** Where the agent of a confidential box listens for its workload. */
export const AGENT_SOCKET = '/run/a3s/agent.sock';

const DEFAULT_TIMEOUT = 30_000;

export interface AgentOptions {
  /** `/run/a3s/agent.sock` where it is not given. */
  readonly socketPath?: string | undefined;
  /** Milliseconds that the agent has; 30 000 where it is not given. */
  readonly timeout?: number | undefined;
}

export interface AgentRequest {
  readonly method: string;
  readonly path: string;
  /** JSON. */
  readonly body?: string | undefined;
  /** The longest answer, in bytes. */
  readonly longest: number;
}

export interface AgentAnswer {
  readonly status: number;
  readonly text: string;
}

/** Rejects where there is no agent, it takes too long, or its answer is too long. */
export function requestOfAgent(
  { socketPath = AGENT_SOCKET, timeout = DEFAULT_TIMEOUT }: AgentOptions,
  { method, path, body, longest }: AgentRequest,
): Promise<AgentAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'a3s', 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(timeout);
    const sent = request({ socketPath, method, path, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length > longest) response.destroy(new Error('it answers with too much'));
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
