/**
 * Files that hold keys: their owner's alone, and always whole.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { renameDurably, syncDirectory } from '../../durable.ts';
import { A3sError } from '../../errors.ts';
import { readBounded } from '../../read-bounded.ts';

const OTHERS = 0o077;

/** @throws A3sError `root-key` for a file that is missing, too long, a link, or open to others */
export async function readPrivateFile(path: string, maxBytes: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    (cause: NodeJS.ErrnoException) => {
      throw refused(path, cause.message, cause);
    },
  );
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw refused(path, 'it is no regular file');
    if (stat.uid !== process.geteuid?.()) throw refused(path, 'it belongs to another user');
    if ((stat.mode & OTHERS) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw refused(path, `its mode is ${mode}, and only its owner may have access (0600)`);
    }
    const content = await readBounded(file, maxBytes);
    if (content === undefined) throw refused(path, `it is longer than ${maxBytes} bytes`);
    return content;
  } finally {
    await file.close();
  }
}

/** Makes the file; never replaces one. @throws A3sError `broker-conflict` where there is one */
export async function createPrivateFile(path: string, content: string): Promise<void> {
  const temporary = await writeBeside(path, content);
  try {
    await link(temporary, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
    throw new A3sError('broker-conflict', `Cannot make ${path}: it exists`, {
      remedy: 'Use it, or move it away: what it encrypts is lost without it.',
      cause,
    });
  } finally {
    await rm(temporary, { force: true });
  }
}

export async function replacePrivateFile(path: string, content: string): Promise<void> {
  await renameDurably(await writeBeside(path, content), path);
}

async function writeBeside(path: string, content: string): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  return temporary;
}

function refused(path: string, reason: string, cause?: unknown): A3sError {
  return new A3sError('root-key', `Cannot use the key file ${path}: ${reason}`, { cause });
}
