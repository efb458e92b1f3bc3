/**
 * An upload that was refused before its end.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises';
import { drop } from '../../http/connection.ts';

/** How long a client that was refused may go on sending, until it has read why. */
const REFUSED_UPLOAD_MS = 5_000;

/** Takes what is still sent, and keeps nothing: closing the connection under it can take the answer with it. */
export async function dropUpload(upload: AsyncIterable<Uint8Array>): Promise<void> {
  await Promise.race([drop(upload), setTimeout(REFUSED_UPLOAD_MS, undefined, { ref: false })]);
}
