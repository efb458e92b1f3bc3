/**
 * The error of a call that this server refuses, or that the builder could not answer.
 *
 * @module
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import { A3sError } from '../../errors.ts';
import { failure, GRPC, GrpcError } from '../wire/grpc.ts';
import { ProtobufError } from '../wire/protobuf.ts';
import { BudgetError } from './byte-budget.ts';

/** Ends a call with what its client shows. */
export function refuseCall(stream: ServerHttp2Stream, error: unknown): void {
  if (isOver(stream) || stream.headersSent) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  stream.resume();
  stream.respond(failure(statusOf(error), wordsOf(error)), { endStream: true });
}

/** In one line, as BuildKit's clients print it. */
function wordsOf(error: unknown): string {
  if (error instanceof A3sError) {
    return error.remedy === undefined ? error.message : `${error.message}. ${error.remedy}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** The call is none of those that pass. */
export class UnknownMethod extends Error {
  constructor() {
    super('this server passes no such call on to the builder');
  }
}

function statusOf(error: unknown): string {
  if (error instanceof UnknownMethod) return GRPC.unimplemented;
  if (error instanceof BudgetError) return GRPC.resourceExhausted;
  if (error instanceof GrpcError || error instanceof ProtobufError) return GRPC.invalidArgument;
  if (!(error instanceof A3sError)) return GRPC.internal;
  if (error.code === 'image-untrusted') return GRPC.permissionDenied;
  if (error.code === 'unsupported-option' || error.code === 'invalid-reference') {
    return GRPC.invalidArgument;
  }
  return GRPC.failedPrecondition;
}

/**
 * Whether Node refuses to send on the stream: one that was reset without an error is closed, and
 * not destroyed.
 */
export function isOver(stream: ServerHttp2Stream): boolean {
  return stream.closed || stream.destroyed;
}
