/**
 * What a handler answers with. How it travels is the router's business.
 *
 * @module
 */
import type { Stdio } from '../../boxes/stdio.ts';

/** A document, a stream that the server sends, or a connection that the client and a process share. */
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
    }
  | {
      readonly kind: 'hijack';
      /** A terminal's bytes travel as they are; otherwise each chunk names its stream. */
      readonly multiplexed: boolean;
      readonly serve: (stdio: Stdio) => Promise<void>;
    };

export type Headers = Readonly<Record<string, string>>;

export function json(body: unknown, status = 200): Answer {
  return { kind: 'json', status, body };
}

export function empty(status = 204): Answer {
  return { kind: 'empty', status };
}

export function stream(chunks: AsyncIterable<Uint8Array>, type: string): Answer {
  return { kind: 'stream', status: 200, type, chunks };
}
