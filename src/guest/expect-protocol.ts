/**
 * What an agent of an older boot set cannot do.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { GuestConnection } from './http2-connection.ts';

/** @throws A3sError `agent-failed` when the agent speaks an earlier version of the protocol */
export function expectProtocol(
  { version: spoken = 0 }: Pick<GuestConnection, 'version'>,
  version: number,
  what: string,
): void {
  if (spoken >= version) return;
  throw new A3sError(
    'agent-failed',
    `The guest agent of this box speaks protocol ${spoken || 'none'}: ${what} came with protocol ${version}`,
    { remedy: 'Restart the box, so that it boots with the current agent.' },
  );
}
