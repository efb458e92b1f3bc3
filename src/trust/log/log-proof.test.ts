import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isIncluded } from './log-proof.ts';

const BASE_URL = 'https://rekor.example:8443/log/1';
const NAME = 'rekor.example:8443/log/1';
const BODY = Buffer.from('the entry');

const sha256 = (...parts: readonly Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

/** The root hash as RFC 9162 defines it in section 2.1.1. */
function rootOf(leaves: readonly Buffer[]): Buffer {
  const [only = Buffer.alloc(0)] = leaves;
  if (leaves.length === 1) return sha256(Buffer.of(0), only);
  const half = splitOf(leaves.length);
  return sha256(Buffer.of(1), rootOf(leaves.slice(0, half)), rootOf(leaves.slice(half)));
}

/** The inclusion proof as RFC 9162 defines it in section 2.1.3.1. */
function pathOf(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length === 1) return [];
  const half = splitOf(leaves.length);
  return index < half
    ? [...pathOf(leaves.slice(0, half), index), rootOf(leaves.slice(half))]
    : [...pathOf(leaves.slice(half), index - half), rootOf(leaves.slice(0, half))];
}

/** The largest power of two below `size`. */
function splitOf(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

function treeOf(size: number, index: number) {
  const leaves = Array.from({ length: size }, (_, at) =>
    at === index ? BODY : Buffer.from(`leaf ${at}`),
  );
  return { rootHash: rootOf(leaves), hashes: pathOf(leaves, index) };
}

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ALWAYS = { start: new Date(0), end: new Date(8.64e15) };
const logOf = (key: KeyObject, baseURL = BASE_URL) => ({
  baseURL,
  logID: sha256(key.export({ type: 'spki', format: 'der' })),
  publicKey: key,
  validFor: ALWAYS,
});

interface Signing {
  readonly name?: string;
  readonly key?: KeyObject;
  readonly hash?: string | null;
  readonly hint?: Buffer;
}

function signatureOf(note: string, { name = NAME, key = privateKey, hash, hint }: Signing) {
  const bytes = sign(hash === undefined ? 'sha256' : hash, Buffer.from(note), key);
  const id = hint ?? logOf(publicKey).logID.subarray(0, 4);
  return `\u2014 ${name} ${Buffer.concat([id, bytes]).toString('base64')}\n`;
}

function entryOf(size: number, index: number, ...signings: readonly Signing[]) {
  const { rootHash, hashes } = treeOf(size, index);
  const note = `${NAME}\n${size}\n${rootHash.toString('base64')}\n`;
  const signers = signings.length === 0 ? [{}] : signings;
  const envelope = `${note}\n${signers.map((one) => signatureOf(note, one)).join('')}`;
  return {
    logIndex: '0',
    logId: { keyId: logOf(publicKey).logID },
    kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
    integratedTime: '0',
    inclusionPromise: undefined,
    inclusionProof: {
      ...{ logIndex: String(index), treeSize: String(size), rootHash, hashes },
      checkpoint: { envelope },
    },
    canonicalizedBody: BODY,
  };
}

describe('a proof of inclusion', () => {
  it('verifies the inclusion of each entry of each tree, and of no other index, size or hashes', () => {
    const logs = [logOf(publicKey)];
    for (let size = 1; size <= 9; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const entry = entryOf(size, index);
        const { inclusionProof: proof } = entry;
        expect(isIncluded(entry, logs), `${index} of ${size}`).toBe(true);
        const { hashes } = proof;
        const wrong = [
          ...(hashes.length === 0 ? [] : [{ hashes: hashes.slice(1) }]),
          { hashes: [...hashes, Buffer.alloc(32)] },
          ...hashes.map((_, at) => ({ hashes: hashes.with(at, Buffer.alloc(32)) })),
          { logIndex: String(size) },
          ...[...Array(size).keys()]
            .filter((other) => other !== index)
            .map((other) => ({ logIndex: String(other) })),
        ];
        for (const change of wrong) {
          const changed = { ...entry, inclusionProof: { ...proof, ...change } };
          expect(isIncluded(changed, logs), JSON.stringify([index, size, change])).toBe(false);
        }
        const other = { ...entry, canonicalizedBody: Buffer.from('another entry') };
        expect(isIncluded(other, logs)).toBe(false);
      }
    }
  });

  it('refuses an entry without a proof, and a proof of an untrusted log', () => {
    const entry = entryOf(3, 1);
    expect(isIncluded({ ...entry, inclusionProof: undefined }, [logOf(publicKey)])).toBe(false);
    expect(isIncluded(entry, [])).toBe(false);
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(isIncluded(entry, [logOf(other.publicKey)])).toBe(false);
  });
});

describe('a checkpoint', () => {
  it.each([
    'rekor.example',
    'rekor.example:8443',
    'rekor.example:8443/log',
    'rekor.example:8443/log/1/',
    'rekor.example:8443/log/10',
    'ekor.example:8443/log/1',
    'https://rekor.example:8443/log/1',
    'rekor.example:8443/LOG/1',
    'rekor',
    '8443',
    '/',
    '.',
  ])('refuses a checkpoint that the log signed under the name %s', (name) => {
    expect(isIncluded(entryOf(3, 1, { name }), [logOf(publicKey)])).toBe(false);
  });

  it.each([
    ['https://rekor.example', 'rekor.example'],
    ['https://rekor.example/', 'rekor.example'],
    ['http://localhost:3000', 'localhost:3000'],
    ['https://rekor.example/a/b/', 'rekor.example/a/b'],
  ])('accepts a checkpoint of the log %s that is signed under the name %s', (baseUrl, name) => {
    expect(isIncluded(entryOf(2, 0, { name }), [logOf(publicKey, baseUrl)])).toBe(true);
  });

  it('refuses every checkpoint of a log whose base URL is invalid', () => {
    for (const baseUrl of ['', 'rekor.example', NAME]) {
      for (const name of ['', 'rekor.example', NAME, 'undefined']) {
        expect(isIncluded(entryOf(2, 0, { name }), [logOf(publicKey, baseUrl)])).toBe(false);
      }
    }
  });

  it('refuses a checkpoint whose key hint is not that of the log', () => {
    const hint = Buffer.alloc(4);
    expect(isIncluded(entryOf(2, 0, { hint }), [logOf(publicKey)])).toBe(false);
  });

  it('accepts a checkpoint with signatures of witnesses beside that of the log', () => {
    const other = { key: generateKeyPairSync('ed25519').privateKey, hash: null };
    const witness = { ...other, name: 'witness.example/w1', hint: Buffer.from('abcd') };
    const logs = [logOf(publicKey)];
    expect(isIncluded(entryOf(2, 0, witness, {}, other), logs)).toBe(true);
    expect(isIncluded(entryOf(2, 0, witness, other), logs)).toBe(false);
  });

  it.each([
    ['P-256', 'sha256', true],
    ['P-256', 'sha384', false],
    ['P-384', 'sha384', true],
    ['P-384', 'sha256', true],
    ['P-384', 'sha512', false],
    ['P-521', 'sha512', true],
    ['P-521', 'sha1', false],
  ])(
    'verifies a checkpoint of a log with a key on %s over %s with the result %s',
    (namedCurve, hash, holds) => {
      const keys = generateKeyPairSync('ec', { namedCurve });
      const log = logOf(keys.publicKey);
      const hint = log.logID.subarray(0, 4);
      const entry = entryOf(4, 2, { key: keys.privateKey, hash, hint });
      expect(isIncluded(entry, [log])).toBe(holds);
    },
  );

  it('verifies a checkpoint of a log with an Ed25519 key', () => {
    const keys = generateKeyPairSync('ed25519');
    const log = logOf(keys.publicKey);
    const hint = log.logID.subarray(0, 4);
    const entry = entryOf(4, 2, { key: keys.privateKey, hash: null, hint });
    expect(isIncluded(entry, [log])).toBe(true);
  });
});
