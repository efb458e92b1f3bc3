/**
 * Verifies an audit log that was exported, without a broker.
 *
 * @module
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import { signingPublicKey } from '../keys/signing-key.ts';
import type { StoredEntry } from '../store/store.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { type LogVerdict, LogVerifier } from './verify-log.ts';

export interface ExportFiles {
  /** One JSON document a line: entries, then checkpoints. */
  readonly log: string;
  /** The public key of the checkpoints, PEM. */
  readonly key: string;
  /** A checkpoint that was kept elsewhere. */
  readonly checkpoint?: string | undefined;
}

const line = z.strictObject({ seq: z.int(), body: z.string(), hash: z.string() });

/** @throws A3sError `broker-config` for files that cannot be read, or are something else */
export async function verifyExport(files: ExportFiles): Promise<LogVerdict> {
  const key = signingPublicKey(await read(files.key));
  if (key === undefined) throw unusable(files.key, 'it is no Ed25519 public key');
  const kept = files.checkpoint === undefined ? [] : [await keptCheckpoint(files.checkpoint)];
  // Twice: the checkpoints come last, and say what the entries have to be.
  const checkpoints = [...kept, ...(await checkpointsOf(files.log))];
  const verifier = new LogVerifier(checkpoints, key);
  for await (const text of linesOf(files.log)) {
    if (parseCheckpoint(text) !== undefined) continue;
    // A line that is nothing takes the place of an entry.
    verifier.add(entryOf(text) ?? { seq: 0, body: '', hash: '' });
  }
  return verifier.end();
}

async function checkpointsOf(path: string): Promise<readonly Checkpoint[]> {
  const found: Checkpoint[] = [];
  for await (const text of linesOf(path)) {
    const checkpoint = parseCheckpoint(text);
    if (checkpoint !== undefined) found.push(checkpoint);
  }
  return found;
}

async function keptCheckpoint(path: string): Promise<Checkpoint> {
  const checkpoint = parseCheckpoint((await read(path)).toString());
  if (checkpoint === undefined) throw unusable(path, 'it is no checkpoint');
  return checkpoint;
}

function entryOf(text: string): StoredEntry | undefined {
  try {
    return narrow(line, JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  } catch (cause) {
    throw unusable(path, cause instanceof Error ? cause.message : String(cause));
  }
}

function read(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: Error) => {
    throw unusable(path, cause.message);
  });
}

function unusable(path: string, reason: string): A3sError {
  return new A3sError('broker-config', `Cannot read ${path}: ${reason}`);
}
