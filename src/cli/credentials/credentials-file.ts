/**
 * `config.json` of Docker and `auth.json` of Podman: JSON files whose other fields belong to those
 * programs.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { open, readlink, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isDiskFull } from '../../disk-full.ts';
import { renameDurably } from '../../durable.ts';
import { A3sError } from '../../errors.ts';
import { makeDirectories } from '../../make-directories.ts';
import { readBounded } from '../../read-bounded.ts';
import { isObject, type JsonObject } from '../client/json.ts';
import { lockFile } from './file-lock.ts';

const MAX_FILE = 1024 * 1024;
const MAX_LINKS = 16;

/**
 * The document; an empty one where there is no file, or nothing in it.
 *
 * @throws A3sError `invalid-argument` for a file that cannot be read, or is no JSON object
 */
export async function readCredentialsFile(path: string): Promise<JsonObject> {
  const text = await readText(path);
  if (text.trim() === '') return {};
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // The parser's message quotes the file, which contains secrets.
    document = undefined;
  }
  if (isObject(document)) return document;
  throw unusable(path, 'it is not a JSON object');
}

/**
 * Replaces the document by the result of `change`: completely or not at all, with no access for
 * other users, one process at a time. A link stays a link.
 */
export async function updateCredentialsFile(
  path: string,
  change: (document: JsonObject) => JsonObject,
): Promise<void> {
  const target = await followLinks(path);
  try {
    await makeDirectories(dirname(target), 0o700);
    using _lock = await lockFile(target);
    await replace(
      target,
      `${JSON.stringify(change(await readCredentialsFile(target)), null, '\t')}\n`,
    );
  } catch (error) {
    throw error instanceof A3sError ? error : cannotWrite(target, error);
  }
}

async function replace(target: string, text: string): Promise<void> {
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await renameDurably(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The target of a chain of links, whether the file exists or not. */
async function followLinks(path: string): Promise<string> {
  let target = resolve(path);
  for (let links = 0; links <= MAX_LINKS; links++) {
    try {
      target = resolve(dirname(target), await readlink(target));
    } catch (error) {
      if (codeOf(error) === 'EINVAL' || codeOf(error) === 'ENOENT') return target;
      throw cannotWrite(target, error);
    }
  }
  throw unusable(path, 'it is a chain of too many links');
}

async function readText(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const bytes = await readBounded(file, MAX_FILE);
      if (bytes === undefined) throw unusable(path, `it is longer than ${MAX_FILE} bytes`);
      return bytes.toString('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    if (error instanceof A3sError) throw error;
    throw unusable(path, codeOf(error));
  }
}

function unusable(path: string, reason: string): A3sError {
  return new A3sError('invalid-argument', `Cannot use ${path}: ${reason}`, {
    remedy: 'Correct the file, or move it away and log in again.',
  });
}

function cannotWrite(path: string, error: unknown): A3sError {
  return new A3sError(
    isDiskFull(error) ? 'disk-full' : 'invalid-argument',
    `Cannot write ${path}: ${codeOf(error)}`,
    { remedy: 'Name another directory with DOCKER_CONFIG.', cause: error },
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
