/**
 * A public key that a request names: the key itself, or a file on the server's host, as the source
 * of a bind mount is one.
 *
 * @module
 */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { A3sError } from '../../../../errors.ts';

const MAX_FILE = 16 * 1024;
const BASE64 = /^[A-Za-z0-9+/]{32,1024}={0,2}$/;

/**
 * The key in PEM: from PEM, from the base64 of its SubjectPublicKeyInfo in DER, which is PEM's text
 * in one line without its frame, or from a file of PEM by its absolute path. Whether it is a key
 * that a box can check is decided where the launch spec is made.
 *
 * @throws A3sError `key-invalid`; what the file holds is not repeated
 */
export async function readPublicKey(text: string): Promise<string> {
  const key = text.trim();
  if (key.startsWith('-----BEGIN ')) return key;
  if (key.startsWith('/')) return await readKeyFile(key);
  if (BASE64.test(key)) return `-----BEGIN PUBLIC KEY-----\n${key}\n-----END PUBLIC KEY-----`;
  throw invalid(`${JSON.stringify(key.slice(0, 64))} is neither a key nor an absolute path`);
}

async function readKeyFile(path: string): Promise<string> {
  try {
    // Opening a device can have effects, and a pipe would make the server wait.
    if (!(await stat(path)).isFile()) throw unreadable(path);
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile() || found.size > MAX_FILE) throw unreadable(path);
      const bytes = Buffer.alloc(MAX_FILE);
      const { bytesRead } = await file.read(bytes, 0, MAX_FILE, 0);
      return bytes.toString('latin1', 0, bytesRead).trim();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof A3sError ? error : unreadable(path, error);
  }
}

function unreadable(path: string, cause?: unknown): A3sError {
  return invalid(
    `${JSON.stringify(path.slice(0, 256))} is no file of a key that can be read`,
    cause,
  );
}

function invalid(why: string, cause?: unknown): A3sError {
  return new A3sError('key-invalid', `Cannot use a key: ${why}`, {
    remedy:
      'Give the public key in PEM, its text in one line, or the absolute path of its file on this host.',
    cause,
  });
}
