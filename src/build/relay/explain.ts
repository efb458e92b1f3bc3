/**
 * Adds the reason to an error of a build whose words lack it: of a file that `ADD` names, BuildKit
 * says the status of the answer alone, as git does of a repository, of a step, its exit code, of a
 * blob, that its end is missing, and of a full disk, a path in the builder.
 *
 * @module
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { answerHeaders, percentDecoded, percentEncoded } from '../wire/grpc.ts';
import { bytesField, ProtobufError, readFields, textOf } from '../wire/protobuf.ts';

const BARE_STATUS = /invalid response status \d{3}/;
/** In the words of the library that git has its HTTP from. */
const FAILED_GIT = /The requested URL returned error: \d{3}/;
const CUT_BLOB = /failed to read expected number of bytes|unexpected EOF/;
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
  /** Why blobs that were begun have no end. */
  readonly blobs: readonly string[];
  /** Those of steps. */
  readonly steps: readonly string[];
}

/** Adds what was refused to an error about a file, or about a step. */
export function explained(
  trailers: IncomingHttpHeaders,
  { files, blobs, steps }: RefusedRequests,
): OutgoingHttpHeaders {
  const passed = answerHeaders(trailers);
  const words = percentDecoded(String(trailers['grpc-message'] ?? ''));
  const added =
    BARE_STATUS.test(words) || FAILED_GIT.test(words)
      ? listed(': ', files, words)
      : CUT_BLOB.test(words)
        ? listed(': ', blobs, words)
        : FAILED_STEP.test(words)
          ? listed('. Refused meanwhile: ', steps, words)
          : FULL_DISK.test(words)
            ? FULL_DISK_WORDS
            : '';
  if (added === '') return passed;
  passed['grpc-message'] = percentEncoded(words + added);
  const details = trailers[DETAILS];
  if (typeof details === 'string') passed[DETAILS] = withMessage(details, added);
  return passed;
}

/** Without those that the words have already: the error of a frontend is that of its build too. */
function listed(before: string, reasons: readonly string[], words: string): string {
  const added = [...new Set(reasons)].filter((reason) => !words.includes(reason));
  return added.length === 0 ? '' : before + added.join('; ');
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
