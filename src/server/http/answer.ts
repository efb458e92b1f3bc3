/**
 * The answer of a handler. The router decides how it is sent.
 *
 * @module
 */
import type { ClientStream } from '../../boxes/run/client-stream.ts';

/**
 * A document, a stream that the server sends, or a connection that the client and a process share.
 */
export type Answer =
  | { readonly kind: 'empty'; readonly status: number; readonly headers?: Headers }
  | {
      readonly kind: 'json';
      readonly status: number;
      readonly body: unknown;
      readonly headers?: Headers;
    }
  | {
      readonly kind: 'text';
      readonly status: number;
      readonly body: string;
      readonly headers?: Headers;
    }
  | {
      readonly kind: 'stream';
      readonly status: number;
      readonly type: string;
      readonly chunks: AsyncIterable<Uint8Array>;
      readonly headers?: Headers;
    }
  | {
      readonly kind: 'hijack';
      /** A terminal's bytes are sent as they are; otherwise each chunk names its stream. */
      readonly multiplexed: boolean;
      /** No chunk that names its stream contains two lines. */
      readonly byLine?: boolean;
      /** `Sec-WebSocket-Accept` of a connection that is a WebSocket, whose request upgrades. */
      readonly webSocket?: string;
      readonly serve: (client: ClientStream) => Promise<void>;
    };

export type Headers = Readonly<Record<string, string>>;

interface Json<Body, Status> {
  readonly kind: 'json';
  readonly status: Status;
  readonly body: Body;
}

export function json<const Body>(body: Body): Json<Body, 200>;
export function json<const Body, Status extends number>(
  body: Body,
  status: Status,
): Json<Body, Status>;
export function json(body: unknown, status = 200): Json<unknown, number> {
  return { kind: 'json', status, body };
}

export function empty(): { readonly kind: 'empty'; readonly status: 204 };
export function empty<Status extends number>(
  status: Status,
): { readonly kind: 'empty'; readonly status: Status };
export function empty(status = 204): Answer {
  return { kind: 'empty', status };
}

export function stream(
  chunks: AsyncIterable<Uint8Array>,
  type: string,
): Extract<Answer, { kind: 'stream' }> & { readonly status: 200 } {
  return { kind: 'stream', status: 200, type, chunks };
}

/** The answer to HEAD of what is a stream. */
export function bodiless(type: string): ReturnType<typeof stream> {
  return stream(none(), type);
}

async function* none(): AsyncGenerator<Uint8Array> {}
