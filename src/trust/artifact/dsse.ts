/**
 * DSSE envelopes, as cosign stores attestations (github.com/secure-systems-lab/dsse, version
 * 1.0.2).
 *
 * @module
 */
import * as z from 'zod';
import { Base64, readJson } from './evidence-json.ts';
import { Problem, quoted } from './problem.ts';
import { STATEMENT_PAYLOAD_TYPE } from './statement.ts';

const MAX_ENVELOPE = 16 * 1024 * 1024;

/** Exactly one signature: with several, the certificate or log entry would be ambiguous. */
const EnvelopeDocument = z.strictObject({
  payloadType: z.string().max(4096),
  payload: Base64,
  signatures: z
    .array(z.strictObject({ keyid: z.string().max(4096).optional(), sig: Base64 }))
    .length(1),
});

export interface Envelope {
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** What the signature is over. */
  readonly signed: Buffer;
}

/** @throws Problem `too-large`, `malformed`, `wrong-type` */
export function readEnvelope(bytes: Buffer): Envelope {
  if (bytes.length > MAX_ENVELOPE) {
    throw new Problem(
      'too-large',
      `its envelope has ${bytes.length} bytes, more than ${MAX_ENVELOPE}`,
    );
  }
  const { payloadType, payload, signatures } = readJson(bytes, EnvelopeDocument, 'its envelope');
  checkPayloadType(payloadType);
  const [first] = signatures;
  if (first === undefined) throw new Problem('malformed', 'its envelope has no signature');
  return { payload, signature: first.sig, signed: preAuthEncoding(payloadType, payload) };
}

/** @throws Problem `wrong-type` */
export function checkPayloadType(payloadType: string): void {
  if (payloadType === STATEMENT_PAYLOAD_TYPE) return;
  throw new Problem(
    'wrong-type',
    `it is of type ${quoted(payloadType)}, and not ${quoted(STATEMENT_PAYLOAD_TYPE)}`,
  );
}

/** PAE: the type is signed along with the payload. */
export function preAuthEncoding(payloadType: string, payload: Buffer): Buffer {
  const type = Buffer.from(payloadType, 'utf8');
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `),
    type,
    Buffer.from(` ${payload.length} `),
    payload,
  ]);
}
