/**
 * Key files: PKCS #8 in PEM, plain or encrypted, and those of `cosign generate-key-pair`.
 *
 * @module
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { A3sError } from '../errors.ts';
import { openCosignKey, parseCosignKey } from './cosign-key.ts';
import { SigningKey } from './signing-key.ts';

const BEGIN = /-----BEGIN ([^\r\n]{0,64}?)-----/g;
/** Matches all of a text. The reader for the label parses the lines in between. */
const ONE_BLOCK = /^\s*-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*)-----END \1-----\s*$/;

/** cosign before 2.0 wrote the second. */
const COSIGN = ['ENCRYPTED SIGSTORE PRIVATE KEY', 'ENCRYPTED COSIGN PRIVATE KEY'];
const WRONG_PASSWORD = 'the password is wrong, or the file was changed';
const CHECK_PASSWORD = { remedy: 'Check A3S_SIGNING_PASSWORD and COSIGN_PASSWORD, in that order.' };

/** The password, requested only where the key is encrypted; undefined where nobody can be asked. */
export type Password = () => Promise<string | undefined>;

/**
 * @param name for messages: the file or the variable that it was read from
 * @throws A3sError `key-invalid`, with no word of the key or the password
 */
export async function readSigningKey(
  text: string,
  name: string,
  password: Password,
): Promise<SigningKey> {
  const key = await readPrivateKey(text, name, password);
  try {
    return new SigningKey(key);
  } catch (error) {
    throw unusable(name, reasonOf(error));
  }
}

/** Reads a key of any kind, for signatures other than cosign's. */
export async function readPrivateKey(
  text: string,
  name: string,
  password: Password,
): Promise<KeyObject> {
  const labels = [...text.matchAll(BEGIN)].map(([, label = '']) => label);
  const [label] = labels;
  if (label === undefined) throw unusable(name, 'it is no key in PEM');
  if (labels.length > 1) {
    throw unusable(name, `it has ${labels.length} PEM blocks: a key is one, in its own file`);
  }
  const block = ONE_BLOCK.exec(text);
  if (block === null) throw unusable(name, 'its PEM block does not end, or something is around it');
  return open(label, block[2] ?? '', name, password);
}

async function open(
  label: string,
  base64: string,
  name: string,
  password: Password,
): Promise<KeyObject> {
  if (label === 'PRIVATE KEY') return parsed(derOf(base64, name), name);
  if (label === 'ENCRYPTED PRIVATE KEY') {
    const der = derOf(base64, name);
    return decrypted(der, await required(password, name), name);
  }
  if (COSIGN.includes(label)) return openCosign(derOf(base64, name), name, password);
  throw otherLabel(label, name);
}

async function openCosign(document: Buffer, name: string, password: Password): Promise<KeyObject> {
  const file = parsedCosign(document, name);
  const key = await openCosignKey(file, await required(password, name)).catch(() => {
    throw unusable(name, 'what it encrypts is no private key in PKCS #8');
  });
  if (key === undefined) throw unusable(name, WRONG_PASSWORD, CHECK_PASSWORD);
  return key;
}

function parsedCosign(document: Buffer, name: string): ReturnType<typeof parseCosignKey> {
  try {
    return parseCosignKey(document);
  } catch (error) {
    // A parser of JSON quotes what it cannot read.
    const reason = error instanceof A3sError ? error.message : '';
    const detail = reason.includes('not JSON') ? '' : `: ${reason.replace(/^Cannot read /, '')}`;
    throw unusable(name, `it is no key file of cosign's${detail}`);
  }
}

function parsed(der: Buffer, name: string): KeyObject {
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch {
    throw unusable(name, 'what is between its PEM lines is no private key in PKCS #8');
  } finally {
    der.fill(0);
  }
}

function decrypted(der: Buffer, passphrase: string, name: string): KeyObject {
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8', passphrase });
  } catch {
    throw unusable(name, WRONG_PASSWORD, CHECK_PASSWORD);
  }
}

async function required(password: Password, name: string): Promise<string> {
  const text = await password();
  if (text !== undefined) return text;
  throw unusable(name, 'it is encrypted, and there is no password', {
    remedy: 'Set COSIGN_PASSWORD or A3S_SIGNING_PASSWORD, or call it from a terminal.',
  });
}

function derOf(base64: string, name: string): Buffer {
  const text = base64.replace(/\s+/g, '');
  const bytes = Buffer.from(text, 'base64');
  if (text !== '' && bytes.toString('base64') === text) return bytes;
  throw unusable(name, 'what is between its PEM lines is not base64');
}

function otherLabel(label: string, name: string): A3sError {
  if (label.endsWith('PUBLIC KEY') || label === 'CERTIFICATE') {
    const what = label === 'CERTIFICATE' ? 'a certificate' : 'a public key';
    return unusable(name, `it is ${what}: signing takes the private key that belongs to it`);
  }
  if (label.endsWith('PRIVATE KEY')) {
    return unusable(name, `it is in another format than PKCS #8, ${JSON.stringify(label)}`, {
      remedy: 'Convert it with openssl pkcs8 -topk8.',
    });
  }
  return unusable(name, 'it is no private key');
}

function unusable(
  name: string,
  reason: string,
  { remedy = "Name a private key in PKCS #8, or a key file of cosign's." } = {},
): A3sError {
  return new A3sError('key-invalid', `Cannot sign with ${name}: ${reason}`, { remedy });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
