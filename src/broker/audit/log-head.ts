/**
 * The last checkpoint of the audit log, kept outside of the store.
 *
 * A store whose end was cut off, or an older store that was put back, looks whole by itself. The
 * file is beside the root key: a writer of the store does not write there.
 *
 * @module
 */
import { statSync } from 'node:fs';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import { readPrivateFile, replacePrivateFile } from '../keys/private-file.ts';

const FORMAT = 'a3s-box/broker-audit-head/v1';
const MAX_BYTES = 4096;

const document = z.strictObject({
  format: z.literal(FORMAT),
  log: z.string().regex(/^[0-9a-f]{32}$/),
  seq: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});

export type LogHead = Omit<z.infer<typeof document>, 'format'>;

/** Where the head of a broker's audit log is: beside the file of a key. */
export function logHeadPath(key: string): string {
  return `${key}.audit-head`;
}

/**
 * Undefined if there is no file.
 *
 * @throws A3sError `root-key` for a file that others may read or write; `audit-broken` for a
 * damaged one
 */
export async function readLogHead(path: string): Promise<LogHead | undefined> {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  const text = (await readPrivateFile(path, MAX_BYTES)).toString();
  const head = parse(text);
  if (head !== undefined) return head;
  throw new A3sError('audit-broken', `Cannot read ${path}: it is damaged`);
}

/** Durable when it resolves. */
export async function writeLogHead(path: string, { log, seq, hash }: LogHead): Promise<void> {
  await replacePrivateFile(path, `${JSON.stringify({ format: FORMAT, log, seq, hash })}\n`);
}

function parse(text: string): LogHead | undefined {
  try {
    return narrow(document, JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
