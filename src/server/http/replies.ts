/**
 * The answers that a route may give: by status, the schema of a document, or another kind of body.
 * A handler's answer has this type, so an answer that is not described does not compile.
 *
 * @module
 */
import type * as z from 'zod';
import type { Document } from '../../docker-api/document.ts';
import type { Answer } from './answer.ts';

/** A status alone. */
export const EMPTY = { kind: 'empty' } as const;
export const TEXT = { kind: 'text' } as const;
/**
 * The connection leaves HTTP. With status 101; 200 for a client that did not ask for an upgrade.
 */
export const HIJACK = { kind: 'hijack' } as const;

/** Bytes of some media type. */
export function bytesOf(...types: readonly [string, ...string[]]) {
  return { kind: 'stream', types, line: undefined } as const;
}

/** JSON documents one after the other, each of this schema. */
export function documentsOf<Line extends z.ZodType>(line: Line) {
  return { kind: 'stream', types: ['application/json'], line } as const;
}

interface Streamed {
  readonly kind: 'stream';
  readonly types: readonly string[];
  readonly line: z.ZodType | undefined;
}

export type Reply = z.ZodType | typeof EMPTY | typeof TEXT | typeof HIJACK | Streamed;

export interface Replies {
  readonly [status: number]: Reply;
}

/** What a handler of these replies returns. */
export type AnswerOf<R extends Replies> = {
  [Status in keyof R]: Status extends number ? Typed<Status, R[Status]> : never;
}[keyof R];

type Typed<Status extends number, Described extends Reply> = Described extends z.ZodType
  ? Of<'json', Status> & { readonly body: Document<Described> }
  : Described extends { readonly kind: 'hijack' }
    ? Extract<Answer, { kind: 'hijack' }>
    : Described extends { readonly kind: infer Kind extends Answer['kind'] }
      ? Of<Kind, Status>
      : never;

type Of<Kind extends Answer['kind'], Status extends number> = Extract<Answer, { kind: Kind }> & {
  readonly status: Status;
};
