/**
 * Records when a revocation list was obtained, in a file beside it.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { parseJson } from '../parse-json.ts';
import { readFileBounded, writeFileDurably } from './files.ts';

const MAX_BYTES = 1024;

const Receipt = z.strictObject({
  /** Of the list: a receipt for other bytes does not count. */
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  obtainedAt: z.iso.datetime(),
});

/** Records when a list was obtained. */
export async function writeReceipt(path: string, der: Uint8Array, obtainedAt: Date): Promise<void> {
  const text = JSON.stringify({ sha256: sha256(der), obtainedAt: obtainedAt.toISOString() });
  await writeFileDurably(path, new TextEncoder().encode(`${text}\n`));
}

/** When a list was obtained; undefined if there is no receipt for it. */
export async function readReceipt(path: string, der: Uint8Array): Promise<Date | undefined> {
  const bytes = await readFileBounded(path, MAX_BYTES);
  const { success, data } = Receipt.safeParse(parseJson(bytes ?? new Uint8Array()));
  return success && data.sha256 === sha256(der) ? new Date(data.obtainedAt) : undefined;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
