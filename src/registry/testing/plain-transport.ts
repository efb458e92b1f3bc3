/**
 * Requests to a registry without credentials, mirrors and second attempts, for tests of the layer
 * above.
 *
 * @module
 */
import { Readable } from 'node:stream';
import { Agent, request as send } from 'undici';
import { A3sError, type ErrorCode } from '../../errors.ts';
import type { RegistryRequest, RegistryResponse } from '../http/message.ts';
import type { Transport } from '../transport/transport.ts';

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'registry-unauthorized',
  403: 'registry-denied',
  429: 'registry-rate-limited',
};

export interface PlainTransport extends Transport {
  close(): Promise<void>;
}

export function plainTransport(host: string): PlainTransport {
  const agent = new Agent();
  return {
    send: async (request) => {
      const url = new URL(request.target, `http://${host}/v2/`);
      for (const [name, value] of Object.entries(request.query ?? {})) {
        url.searchParams.set(name, value);
      }
      return await follow(agent, request, url, 3);
    },
    close: () => agent.destroy(),
  };
}

async function follow(
  dispatcher: Agent,
  request: RegistryRequest,
  url: URL,
  redirects: number,
): Promise<RegistryResponse> {
  const { method, body, signal, headers = {} } = request;
  const answer = await send(url, {
    method,
    headers,
    dispatcher,
    ...(signal === undefined ? {} : { signal }),
    body: typeof body === 'function' ? Readable.from(body()) : (body ?? null),
  }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new A3sError('registry-unreachable', `Cannot reach ${url.host}`, { cause });
  });
  const flat = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
  const response = {
    status: answer.statusCode,
    headers: Object.fromEntries(flat),
    url,
    body: answer.body,
  };
  if (request.expected.includes(response.status)) return response;
  await answer.body.dump();
  const location = answer.headers['location'];
  if (response.status === 307 && typeof location === 'string' && redirects > 0) {
    return await follow(dispatcher, request, new URL(location, url), redirects - 1);
  }
  const code = CODES[response.status] ?? 'registry-failed';
  throw new A3sError(code, `${url.host} answers ${method} with ${response.status}`);
}
