/**
 * gRPC, by a library that is loaded when a server serves CRI.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { fileDesc, serviceDesc } from '@bufbuild/protobuf/codegenv2';
import { ConnectError, type Interceptor } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { DESCRIPTOR } from '../api/descriptor.ts';
import type { ImageServiceType, RuntimeServiceType } from '../api/services.ts';
import type { CriFailure } from '../failure.ts';
import type { CriServices } from '../services.ts';

const file = fileDesc(DESCRIPTOR);
export const RuntimeService = serviceDesc(file, 0) as RuntimeServiceType;
export const ImageService = serviceDesc(file, 1) as ImageServiceType;

/** What kubelet itself takes and sends at most. */
const MAX_MESSAGE = 16 * 1024 * 1024;

export type GrpcHandler = (
  request: Http2ServerRequest | IncomingMessage,
  response: Http2ServerResponse | ServerResponse,
) => void;

export interface GrpcOptions {
  /** The status of what a method threw; `method` is its full name. */
  readonly failure: (error: unknown, method: string) => CriFailure;
  /** Aborts the calls that are under way when the server ends. */
  readonly shutdown: AbortSignal;
}

/** Answers calls of gRPC; the library's other protocols are off, and so is compression. */
export function grpcHandler(
  { runtime, images }: CriServices,
  { failure, shutdown }: GrpcOptions,
): GrpcHandler {
  return connectNodeAdapter({
    ...{ connect: false, grpcWeb: false, acceptCompression: [] },
    ...{ readMaxBytes: MAX_MESSAGE, writeMaxBytes: MAX_MESSAGE },
    shutdownSignal: shutdown,
    interceptors: [failuresBy(failure)],
    routes: (router) => {
      router.service(RuntimeService, runtime);
      router.service(ImageService, images);
    },
  });
}

function failuresBy(failure: GrpcOptions['failure']): Interceptor {
  return (next) => async (request) => {
    const convert = (error: unknown): ConnectError => {
      // The library's own: a method that is missing, a message that is too large, a deadline.
      if (error instanceof ConnectError) return error;
      const { status, message } = failure(error, `${request.service.name}/${request.method.name}`);
      return new ConnectError(message, status, undefined, undefined, error);
    };
    try {
      const response = await next(request);
      if (!response.stream) return response;
      return { ...response, message: converted(response.message, convert) };
    } catch (error) {
      throw convert(error);
    }
  };
}

async function* converted<T>(
  messages: AsyncIterable<T>,
  convert: (error: unknown) => ConnectError,
): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw convert(error);
  }
}
