/**
 * What the server and the program that makes an ordinary user's networks say to each other. Both
 * are of one installation, and the program ends with the server.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError, ERRORS, type ErrorCode } from '../../errors.ts';
import { Refusal } from '../egress/egress.ts';
import { Endpoint } from '../host/endpoint.ts';

const Place = z.object({ box: z.string(), network: z.string() });

export const Request = z.discriminatedUnion('ask', [
  /** Answered by the descriptor of the tap device in the program, until `close` is asked for. */
  z.strictObject({ ask: z.literal('attach'), endpoint: Endpoint }),
  z.strictObject({ ask: z.literal('close'), descriptor: z.int().min(0) }),
  z.strictObject({ ask: z.literal('publish'), endpoint: Endpoint }),
  z.strictObject({ ask: z.literal('detach'), box: z.string(), network: z.string().optional() }),
  z.strictObject({ ask: z.literal('reconcile'), kept: z.array(Place).readonly() }),
  z.strictObject({ ask: z.literal('repair') }),
  /** Answered by what policies have refused. */
  z.strictObject({ ask: z.literal('refusals') }),
  /** Starts the process that holds the namespaces again. */
  z.strictObject({ ask: z.literal('hold') }),
]);
export type Request = z.infer<typeof Request>;

export const Numbered = z.strictObject({ number: z.int(), request: Request });

const Failure = z.strictObject({
  code: z.string(),
  message: z.string(),
  remedy: z.string().optional(),
});
type Failure = z.infer<typeof Failure>;

export const Message = z.union([
  z.strictObject({ number: z.int(), failure: Failure }),
  z.strictObject({ number: z.int(), value: z.unknown().optional() }),
  /** A failure that keeps nobody from going on. */
  z.strictObject({
    log: z.string(),
    failure: Failure,
    fields: z.record(z.string(), z.unknown()).optional(),
  }),
]);
export type Message = z.infer<typeof Message>;

export const Descriptor = z.int().min(0);
export const Refusals = z.array(Refusal.extend({ box: z.string(), network: z.string() }));

export function describeFailure(error: unknown): Failure {
  if (!(error instanceof A3sError)) {
    return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
  }
  const { code, message, remedy } = error;
  return { code, message, ...(remedy === undefined ? {} : { remedy }) };
}

/** The error that a program has described. */
export function failureOf({ code, message, remedy }: Failure): A3sError {
  return new A3sError(isCode(code) ? code : 'internal', message, { remedy });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
