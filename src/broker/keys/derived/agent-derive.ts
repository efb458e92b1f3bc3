/**
 * Asks the agent of the own guest for keys that the secure processor derives.
 *
 * @module
 */
import { requestOfAgent } from '@a3s-box/ratls';
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { narrow } from '../../../narrow.ts';
import { parseJson } from '../../../parse-json.ts';
import { KEY_BYTES } from '../aead.ts';

export interface Derived {
  readonly key: Buffer;
  readonly reference: Buffer;
}

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
  const body = JSON.stringify(asked);
  const request = { method: 'POST', path: '/v1/derive', body, longest: MAX_ANSWER };
  const { status, text } = await requestOfAgent({ socketPath }, request).catch((cause: Error) => {
    throw refused(`the agent at ${socketPath} does not answer: ${cause.message}`, cause);
  });
  const document = parseJson(text);
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
