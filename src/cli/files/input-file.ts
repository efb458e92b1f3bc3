/**
 * An input that a flag names: a file, a pipe, or standard input. Its size is bounded, and it is
 * read in one pass.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { UsageError } from '../usage-error.ts';

/** Stands for standard input. */
const STANDARD_INPUT = '-';

/** Longest file that is hashed. */
const MAX_HASHED = 4 * 1024 ** 3;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
};

type Chunks = AsyncIterable<Uint8Array>;
type Ends = Pick<Context, 'cwd' | 'stdin'>;

/** Standard input was read already: a second reader would find it empty. */
const taken = new WeakSet<Context['stdin']>();

/** The name of the input in messages. */
export function inputName(path: string): string {
  return path === STANDARD_INPUT ? 'standard input' : path;
}

/**
 * All bytes of a file or pipe; of standard input for `-`, which one flag alone may name.
 *
 * @param flag that names the input, such as `--report`; empty for an operand
 * @throws UsageError if it cannot be read or is longer than `maxBytes`
 */
export function readInput(
  ends: Ends,
  path: string,
  maxBytes: number,
  flag: string,
): Promise<Uint8Array> {
  return reading(ends, path, maxBytes, flag, gather);
}

/**
 * SHA-256 of such an input, which need not fit into memory.
 *
 * @throws UsageError if it cannot be read
 */
export function hashInput(ends: Ends, path: string, flag: string): Promise<Uint8Array> {
  return reading(ends, path, MAX_HASHED, flag, async (chunks) => {
    const hash = createHash('sha256');
    for await (const chunk of chunks) hash.update(chunk);
    return Uint8Array.from(hash.digest());
  });
}

async function reading(
  ends: Ends,
  path: string,
  maxBytes: number,
  flag: string,
  read: (chunks: Chunks) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const prefix = flag === '' ? '' : `${flag}: `;
  const name = `${prefix}${inputName(path)}`;
  if (path === '') throw new UsageError(`${prefix}no file is named`);
  if (path === STANDARD_INPUT) {
    return read(bounded(takeStandardInput(ends, prefix), name, maxBytes));
  }
  try {
    const file = await open(resolve(ends.cwd, path), 'r');
    try {
      const stat = await file.stat();
      if (stat.isFile() && stat.size > maxBytes) throw tooLong(name, maxBytes);
      return await read(bounded(file.createReadStream({ autoClose: false }), name, maxBytes));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new UsageError(`${prefix}open ${path}: ${REASONS[code] ?? code}`);
  }
}

function takeStandardInput({ stdin }: Ends, prefix: string): Chunks {
  if (taken.has(stdin)) {
    throw new UsageError(`${prefix}standard input is read already, by another flag`, {
      remedy: 'Name a file with all flags but one.',
    });
  }
  taken.add(stdin);
  return stdin;
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
