/**
 * Asks the agent of the own guest for keys that the secure processor derives.
 *
 * @module
 */
import { request } from 'node:http';
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { narrow } from '../../../narrow.ts';
import { KEY_BYTES } from '../aead.ts';

export interface Derived {
  readonly key: Buffer;
  readonly reference: Buffer;
}

const TIMEOUT_MS = 30_000;
const MAX_ANSWER = 4096;

const base64 = z.base64().transform((text) => Buffer.from(text, 'base64'));
const answer = z.strictObject({
  key: base64.refine((key) => key.length === KEY_BYTES && key.some((byte) => byte !== 0)),
  reference: base64,
});
const refusal = z.object({ error: z.object({ code: z.string().max(64), message: z.string() }) });

/** A key that was never derived before. @throws A3sError `root-key` */
export function deriveNew(
  socketPath: string,
  asked: { readonly purpose: string; readonly policy: string },
): Promise<Derived> {
  return derive(socketPath, asked);
}

/** The key of a reference. @throws A3sError `root-key` */
export async function deriveAgain(
  socketPath: string,
  { purpose, reference }: { readonly purpose: string; readonly reference: Buffer },
): Promise<Derived> {
  const derived = await derive(socketPath, { purpose, reference: reference.toString('base64') });
  if (derived.reference.equals(reference)) return derived;
  throw refused('its agent gives the key of another reference');
}

async function derive(socketPath: string, asked: object): Promise<Derived> {
  const { status, text } = await post(socketPath, JSON.stringify(asked)).catch((cause: Error) => {
    throw refused(`the agent at ${socketPath} does not answer: ${cause.message}`, cause);
  });
  const document = jsonOf(text);
  if (status === 200) {
    const { data } = narrow(answer, document);
    if (data !== undefined) return data;
    throw refused('its agent gives no key');
  }
  const { data } = narrow(refusal, document);
  throw refused(
    data === undefined ? `status ${status}` : `${data.error.code}: ${data.error.message}`,
  );
}

function refused(reason: string, cause?: unknown): A3sError {
  return new A3sError('root-key', `Cannot derive the root key in this guest: ${reason}`, {
    remedy:
      'Run the broker in the confidential box that the key was made in, with --sealing as ' +
      'rootKey.derived.policy.',
    cause,
  });
}

function post(
  socketPath: string,
  body: string,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'a3s', 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const options = { socketPath, path: '/v1/derive', method: 'POST', headers, signal };
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > MAX_ANSWER) response.destroy(new Error('its answer is too long'));
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

/** Undefined for what is no JSON: the schema refuses it. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
