/**
 * What a flag names to be read: a file, a pipe, or standard input. Bounded, and in one pass.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Context } from './context.ts';
import { UsageError } from './usage-error.ts';

/** Stands for standard input, where that may be read. */
export const STANDARD_INPUT = '-';

/** Longest file that is hashed. */
const MAX_HASHED = 4 * 1024 ** 3;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
};

type Chunks = AsyncIterable<Uint8Array>;

/**
 * All bytes of a file or pipe.
 *
 * @throws UsageError if it cannot be read or is longer than `maxBytes`
 */
export function readInputFile(
  context: Pick<Context, 'cwd'>,
  path: string,
  maxBytes: number,
): Promise<Uint8Array> {
  return withFile(context, path, maxBytes, gather);
}

/** The same, where `-` is standard input. */
export function readInput(
  context: Pick<Context, 'cwd' | 'stdin'>,
  path: string,
  maxBytes: number,
): Promise<Uint8Array> {
  if (path !== STANDARD_INPUT) return readInputFile(context, path, maxBytes);
  return gather(bounded(context.stdin, 'standard input', maxBytes));
}

/**
 * SHA-256 of a file that need not fit into memory.
 *
 * @throws UsageError if it cannot be read
 */
export function hashInputFile(context: Pick<Context, 'cwd'>, path: string): Promise<Uint8Array> {
  return withFile(context, path, MAX_HASHED, async (chunks) => {
    const hash = createHash('sha256');
    for await (const chunk of chunks) hash.update(chunk);
    return Uint8Array.from(hash.digest());
  });
}

async function withFile(
  { cwd }: Pick<Context, 'cwd'>,
  path: string,
  maxBytes: number,
  read: (chunks: Chunks) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  try {
    const file = await open(resolve(cwd, path), 'r');
    try {
      const stat = await file.stat();
      if (stat.isFile() && stat.size > maxBytes) throw tooLong(path, maxBytes);
      return await read(bounded(file.createReadStream({ autoClose: false }), path, maxBytes));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new UsageError(`open ${path}: ${REASONS[code] ?? code}`);
  }
}

async function* bounded(chunks: Chunks, name: string, maxBytes: number): Chunks {
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > maxBytes) throw tooLong(name, maxBytes);
    yield chunk;
  }
}

async function gather(chunks: Chunks): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Uint8Array.from(Buffer.concat(parts));
}

function tooLong(name: string, maxBytes: number): UsageError {
  return new UsageError(`${name} is longer than ${maxBytes} bytes, which is more than it may be`);
}
