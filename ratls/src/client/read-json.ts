/**
 * Reads JSON answers and validates them.
 *
 * @module
 */
import { narrow } from '@a3s-box/policies/narrow';
import type * as z from 'zod';
import { AGENT_CODES, type AgentCode, RatlsError } from '../errors.ts';
import { Failure } from '../protocol/messages.ts';
import type { Answer } from './exchange.ts';
import { peerText } from './peer-text.ts';

/**
 * The document of an answer with status 200.
 *
 * @throws {RatlsError} the code of a refusal, `refused` for one that is not known, `protocol` for anything else
 */
export function readAnswer<Schema extends z.ZodType>(
  { status, body }: Answer,
  schema: Schema,
): z.output<Schema> {
  if (status !== 200) throw refusalOf({ status, body });
  return narrowed(body, schema);
}

/** A peer's refusal. */
export function refusalOf({ status, body }: Answer): RatlsError {
  const { success, data } = narrow(Failure, parsed(body));
  if (!success) {
    const found = `status ${status}`;
    return new RatlsError('protocol', 'Cannot understand the refusal of the peer.', { found });
  }
  const { code, message } = data.error;
  const known = AGENT_CODES.find((each): each is AgentCode => each === code);
  return new RatlsError(known ?? 'refused', `The peer refuses: ${peerText(message)}`, {
    found: code,
  });
}

/** @throws {RatlsError} `protocol` */
export function narrowed<Schema extends z.ZodType>(body: Buffer, schema: Schema): z.output<Schema> {
  const result = narrow(schema, parsed(body));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new RatlsError('protocol', 'Cannot understand the answer of the peer.', {
    found: issue === undefined ? undefined : peerText(`${issue.path.join('.')}: ${issue.message}`),
    cause: result.error,
  });
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
