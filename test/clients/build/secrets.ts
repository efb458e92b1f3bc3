/**
 * Secrets for a build that no other test has, and what of them nothing may keep.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface BuildSecrets {
  /** Files of a secret and of an SSH key. */
  readonly secret: string;
  readonly sshKey: string;
  /** A secret that is in no file. */
  readonly variable: string;
  /** What a build is to leave everywhere: where it is not found, nothing was looked into. */
  readonly control: string;
  /** In each spelling that a program may use. */
  readonly bytes: ReadonlyMap<string, Buffer>;
}

/** @param directory for the files */
export function buildSecrets(directory: string): BuildSecrets {
  const [secret, sshKey] = [join(directory, 'secret'), join(directory, 'ssh-key')];
  const [text, variable] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
  writeFileSync(secret, `${text}\n`, { mode: 0o600 });
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'of a build', '-f', sshKey]);
  const control = randomBytes(16).toString('hex');
  const bytes = new Map([
    ['control', Buffer.from(control)],
    ...spellings('secret', Buffer.from(text, 'hex')),
    ...spellings('secret of a variable', Buffer.from(variable, 'hex')),
    ...spellings('SSH key', seedOf(sshKey)),
    ...linesOf('SSH key', readFileSync(sshKey, 'utf8')),
  ]);
  return { secret, sshKey, variable, control, bytes };
}

/** The private key of an authority, PEM: as it is, and its number. */
export function authorityBytes(privateKey: string): ReadonlyMap<string, Buffer> {
  const { d = '' } = createPrivateKey(privateKey).export({ format: 'jwk' });
  return new Map([
    ...spellings('authority', Buffer.from(d, 'base64url')),
    ...linesOf('authority', privateKey),
  ]);
}

function spellings(name: string, bytes: Buffer): readonly [string, Buffer][] {
  const hex = bytes.toString('hex');
  return [
    [`${name}: bytes`, bytes],
    [`${name}: hexadecimal`, Buffer.from(hex)],
    // All but its end, which depends on what follows.
    [`${name}: base64`, Buffer.from(bytes.toString('base64').slice(0, 40))],
    [
      `${name}: base64 of hexadecimal`,
      Buffer.from(Buffer.from(hex).toString('base64').slice(0, 80)),
    ],
  ];
}

/** Of a PEM: whole lines but the first, which has little but the kind of the key. */
function linesOf(name: string, pem: string): readonly [string, Buffer][] {
  const lines = pem.split('\n').slice(2);
  const whole = lines.filter((line) => line.length >= 40 && !line.startsWith('-'));
  return whole.map((line, n) => [`${name}: line ${n + 2}`, Buffer.from(line)]);
}

/** OpenSSH writes the seed, and the public key after it. */
function seedOf(file: string): Buffer {
  const content = Buffer.from(readFileSync(file, 'utf8').replaceAll(/^-.*$/gm, ''), 'base64');
  const [, written = ''] = readFileSync(`${file}.pub`, 'utf8').split(' ');
  const end = content.lastIndexOf(Buffer.from(written, 'base64').subarray(-32));
  return content.subarray(end - 32, end);
}
