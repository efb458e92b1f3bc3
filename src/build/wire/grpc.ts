/**
 * gRPC over HTTP/2: the frame of a message, and the answer that is an error.
 *
 * @module
 */
import type {
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  OutgoingHttpHeaders,
} from 'node:http2';

/** Status codes of gRPC. */
export const GRPC = {
  ok: '0',
  invalidArgument: '3',
  permissionDenied: '7',
  resourceExhausted: '8',
  failedPrecondition: '9',
  unimplemented: '12',
  internal: '13',
  unavailable: '14',
} as const;

const PREFIX_BYTES = 5;
/** A header may hold as much; an error with more words is cut. */
const MAX_WORDS = 4096;

/** The bytes are not one whole message without compression. */
export class GrpcError extends Error {}

/**
 * The message of a call that has one.
 *
 * @throws GrpcError
 */
export function unframed(bytes: Buffer): Buffer {
  if (bytes.length < PREFIX_BYTES || bytes[0] !== 0) {
    throw new GrpcError('the message is compressed, or has no frame');
  }
  const message = bytes.subarray(PREFIX_BYTES);
  if (bytes.readUInt32BE(1) === message.length) return message;
  throw new GrpcError('the call has more than one message, or less than one');
}

export function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** The headers of an answer that is an error and nothing else. */
export function failure(status: string, words: string): OutgoingHttpHeaders {
  return {
    ...{ ':status': 200, 'content-type': 'application/grpc' },
    ...{ 'grpc-status': status, 'grpc-message': percentEncoded(words.slice(0, MAX_WORDS)) },
  };
}

/** Headers to send on: those that belong to one connection stay. */
export function passedOn(headers: Readonly<OutgoingHttpHeaders>): OutgoingHttpHeaders {
  const passed: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) passed[name] = value;
  }
  return passed;
}

/** Of an answer. */
export type AnswerHead = IncomingHttpHeaders & IncomingHttpStatusHeader;

/**
 * Headers or trailers of an answer to send on. No others have a meaning in gRPC, and there are
 * names that the sending side does not take.
 */
export function answerHeaders(headers: Readonly<OutgoingHttpHeaders>): OutgoingHttpHeaders {
  const kept = Object.entries(passedOn(headers)).filter(
    ([name]) => name === ':status' || name === 'content-type' || name.startsWith('grpc-'),
  );
  return Object.fromEntries(kept);
}

export function percentDecoded(words: string): string {
  const bytes = words.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}

/** As gRPC has it: everything but printable ASCII, and `%`. */
export function percentEncoded(words: string): string {
  return [...Buffer.from(words)]
    .map((byte) =>
      byte >= 0x20 && byte < 0x7f && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}
