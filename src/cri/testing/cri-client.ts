/**
 * A client of CRI by another library than the server's.
 *
 * @module
 */
import {
  create,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';

/** Kubelet gives this name to its connections, and takes as large messages. */
const OPTIONS = {
  'grpc.default_authority': 'localhost',
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
};

export class CriClient {
  readonly #client: Client;

  constructor(socket: string, options: Record<string, string | number> = {}) {
    const all = { ...OPTIONS, ...options };
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), all);
  }

  /** @throws ServiceError with the status as `code`, and the message as `details` */
  call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
    { signal, deadline }: { signal?: AbortSignal; deadline?: Date } = {},
  ): Promise<MessageShape<M['output']>> {
    const { promise, settle } = settled<MessageShape<M['output']>>();
    const sent = this.#client.makeUnaryRequest(
      pathOf(method),
      asIs,
      (bytes: Buffer) => fromBinary(method.output, bytes) as MessageShape<M['output']>,
      encoded(method, request),
      deadline === undefined ? {} : { deadline },
      settle,
    );
    signal?.addEventListener('abort', () => sent.cancel(), { once: true });
    return promise;
  }

  /** All messages of a stream. */
  async stream<M extends DescMethodServerStreaming>(
    method: M,
    request: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']>[]> {
    const messages: MessageShape<M['output']>[] = [];
    const stream = this.#client.makeServerStreamRequest(
      pathOf(method),
      asIs,
      (bytes: Buffer) => fromBinary(method.output, bytes) as MessageShape<M['output']>,
      encoded(method, request),
    );
    for await (const message of stream) messages.push(message);
    return messages;
  }

  /** A call whose path and bytes are the test's. */
  raw(path: string, bytes: Buffer): Promise<Buffer> {
    const { promise, settle } = settled<Buffer>();
    this.#client.makeUnaryRequest(path, asIs, asIs, bytes, settle);
    return promise;
  }

  close(): void {
    this.#client.close();
  }
}

function pathOf({ parent, name }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

function encoded<M extends DescMethod>(method: M, request: MessageInitShape<M['input']>): Buffer {
  return Buffer.from(toBinary(method.input, create(method.input, request)));
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function settled<T>(): {
  readonly promise: Promise<T>;
  readonly settle: (error: ServiceError | null, value?: T) => void;
} {
  let settle: (error: ServiceError | null, value?: T) => void = () => undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = (error, value) => {
      if (error === null) return void resolve(value as T);
      // This library leaves encoded what URIs reserve, such as colons; that of Go does not.
      error.details = decodeURIComponent(error.details);
      reject(error);
    };
  });
  return { promise, settle };
}
