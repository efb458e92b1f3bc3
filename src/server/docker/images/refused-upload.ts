/**
 * The rest of an upload that was refused before its end.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises';
import { drop } from '../../http/connection.ts';

/** How long a refused client may go on sending until it has read the reason. */
const REFUSED_UPLOAD_MS = 5_000;

/**
 * Reads and drops what is still sent. If the connection were closed instead, the client could lose
 * the answer.
 */
export async function dropUpload(upload: AsyncIterable<Uint8Array>): Promise<void> {
  await Promise.race([drop(upload), setTimeout(REFUSED_UPLOAD_MS, undefined, { ref: false })]);
}
