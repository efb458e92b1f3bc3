/**
 * Adds the reason to an error of a build whose words lack it: of a file that `ADD` names, BuildKit
 * says the status of the answer alone.
 *
 * @module
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { passedOn, percentDecoded, percentEncoded } from '../wire/grpc.ts';
import { bytesField, readFields, textsOf } from '../wire/protobuf.ts';

const BARE_STATUS = /invalid response status \d{3}/;
/** A `google.rpc.Status`, whose message clients show in place of the other one. */
const DETAILS = 'grpc-status-details-bin';
const MESSAGE = 2;

/** @param reasons why requests of the build were refused */
export function explained(
  trailers: IncomingHttpHeaders,
  reasons: readonly string[],
): OutgoingHttpHeaders {
  const passed = passedOn(trailers);
  const words = percentDecoded(String(trailers['grpc-message'] ?? ''));
  if (reasons.length === 0 || !BARE_STATUS.test(words)) return passed;
  const added = `: ${[...new Set(reasons)].join('; ')}`;
  passed['grpc-message'] = percentEncoded(words + added);
  const details = trailers[DETAILS];
  if (typeof details === 'string') {
    const fields = readFields(Buffer.from(details, 'base64'));
    const [message = ''] = textsOf(fields, MESSAGE);
    const others = fields.filter(({ number }) => number !== MESSAGE);
    const status = [bytesField(MESSAGE, message + added), ...others.map(({ encoded }) => encoded)];
    passed[DETAILS] = Buffer.concat(status).toString('base64');
  }
  return passed;
}
