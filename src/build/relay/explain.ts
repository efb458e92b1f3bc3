/**
 * Adds the reason to an error of a build whose words lack it: of a file that `ADD` names, BuildKit
 * says the status of the answer alone, as git does of a repository, of a step, its exit code, and
 * of a full disk, a path in the builder.
 *
 * @module
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { answerHeaders, percentDecoded, percentEncoded } from '../wire/grpc.ts';
import { bytesField, ProtobufError, readFields, textOf } from '../wire/protobuf.ts';

const BARE_STATUS = /invalid response status \d{3}/;
/** In the words of the library that git has its HTTP from. */
const FAILED_GIT = /The requested URL returned error: \d{3}/;
const FAILED_STEP = /did not complete successfully: exit code: \d+/;
/** In what BuildKit and containerd write themselves; a client has a disk of its own. */
const FULL_DISK = /\/(?:containerd\/daemon|buildkit)\/.*: no space left on device/;
const FULL_DISK_WORDS =
  '. The disk of the builder was full: build again, or empty it with docker builder prune --all';
/** A `google.rpc.Status`, whose message clients show in place of the other one. */
const DETAILS = 'grpc-status-details-bin';
const MESSAGE = 2;

/** Why requests were refused while a build ran. */
export interface RefusedRequests {
  /** Those for files that `ADD` names, and for repositories. */
  readonly files: readonly string[];
  /** Those of steps. */
  readonly steps: readonly string[];
}

/** Adds what was refused to an error about a file, or about a step. */
export function explained(
  trailers: IncomingHttpHeaders,
  { files, steps }: RefusedRequests,
): OutgoingHttpHeaders {
  const passed = answerHeaders(trailers);
  const words = percentDecoded(String(trailers['grpc-message'] ?? ''));
  const added =
    BARE_STATUS.test(words) || FAILED_GIT.test(words)
      ? listed(': ', files)
      : FAILED_STEP.test(words)
        ? listed('. Refused meanwhile: ', steps)
        : FULL_DISK.test(words)
          ? FULL_DISK_WORDS
          : '';
  if (added === '') return passed;
  passed['grpc-message'] = percentEncoded(words + added);
  const details = trailers[DETAILS];
  if (typeof details === 'string') passed[DETAILS] = withMessage(details, added);
  return passed;
}

function listed(before: string, reasons: readonly string[]): string {
  return reasons.length === 0 ? '' : before + [...new Set(reasons)].join('; ');
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
