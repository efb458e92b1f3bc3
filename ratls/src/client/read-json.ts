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

/** Longest text of a peer that is shown. */
const MOST_TEXT = 1024;

/**
 * The document of an answer with status 200.
 *
 * @throws {RatlsError} the code of a refusal, `refused` for one that is not known, `protocol` for
 * anything else
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
  const { code, message, rule } = data.error;
  const known = AGENT_CODES.find((each): each is AgentCode => each === code);
  const decided = rule === undefined ? '' : ` (${rule} of the launch spec decides)`;
  return new RatlsError(known ?? 'refused', `The peer refuses: ${peerText(message)}${decided}`, {
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

/**
 * `text` on one line, without control and text-direction characters, of at most 1024 characters: a
 * peer may try to deceive on a terminal.
 */
function peerText(text: string): string {
  const line = text
    .slice(0, 4 * MOST_TEXT)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ')
    .trim();
  return line.length > MOST_TEXT ? `${line.slice(0, MOST_TEXT)}…` : line;
}
