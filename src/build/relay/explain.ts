/**
 * Adds the reason to an error of a build whose words lack it: of a file that `ADD` names, BuildKit
 * says the status of the answer alone.
 *
 * @module
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { answerHeaders, percentDecoded, percentEncoded } from '../wire/grpc.ts';
import { bytesField, ProtobufError, readFields, textOf } from '../wire/protobuf.ts';

const BARE_STATUS = /invalid response status \d{3}/;
/** A `google.rpc.Status`, whose message clients show in place of the other one. */
const DETAILS = 'grpc-status-details-bin';
const MESSAGE = 2;

/** @param reasons why requests of the build were refused */
export function explained(
  trailers: IncomingHttpHeaders,
  reasons: readonly string[],
): OutgoingHttpHeaders {
  const passed = answerHeaders(trailers);
  const words = percentDecoded(String(trailers['grpc-message'] ?? ''));
  if (reasons.length === 0 || !BARE_STATUS.test(words)) return passed;
  const added = `: ${[...new Set(reasons)].join('; ')}`;
  passed['grpc-message'] = percentEncoded(words + added);
  const details = trailers[DETAILS];
  if (typeof details === 'string') passed[DETAILS] = withMessage(details, added);
  return passed;
}

/** As they came, where they are no message: the builder's words are not worth a failure here. */
function withMessage(details: string, added: string): string {
  try {
    const fields = readFields(Buffer.from(details, 'base64'));
    const others = fields.filter(({ number }) => number !== MESSAGE);
    const message = bytesField(MESSAGE, textOf(fields, MESSAGE) + added);
    return Buffer.concat([message, ...others.map(({ encoded }) => encoded)]).toString('base64');
  } catch (error) {
    if (error instanceof ProtobufError) return details;
    throw error;
  }
}
