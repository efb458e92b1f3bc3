/**
 * A hand-made transparency log, each part of which can be made wrong.
 *
 * @module
 */
import { createHash, type KeyObject, sign } from 'node:crypto';
import type { Parts } from '../../../src/trust/testing/signatures.ts';

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface EntryOptions {
  /** When it was promised, where it was. */
  readonly at?: Date;
  /** The checkpoint, from its note and the log's own signature line. */
  readonly checkpoint?: (note: string, line: string) => string;
}

/** Entries in the tree, and which of them is the one. */
const SIZE = 5;
const INDEX = 2;

export class TestLog {
  readonly baseUrl: string;
  readonly name: string;
  readonly keyId: Buffer;
  readonly #keys: KeyPair;
  readonly #hash: string | null;

  /** @param hash null for a key that signs without one */
  constructor(baseUrl: string, keys: KeyPair, hash: string | null) {
    this.baseUrl = baseUrl;
    const { host, pathname } = new URL(baseUrl);
    this.name = host + pathname.replace(/\/$/, '');
    this.keyId = sha256(derOf(keys.publicKey));
    this.#keys = keys;
    this.#hash = hash;
  }

  /** As a trusted root has it. */
  instance(keyDetails: string, validFor: object = { start: '2020-01-01T00:00:00Z' }): object {
    return {
      baseUrl: this.baseUrl,
      hashAlgorithm: 'SHA2_256',
      publicKey: {
        rawBytes: derOf(this.#keys.publicKey).toString('base64'),
        keyDetails,
        validFor,
      },
      logId: { keyId: this.keyId.toString('base64') },
    };
  }

  entry(
    body: { readonly kind: string; readonly apiVersion: string },
    { at, checkpoint = (note, line) => `${note}\n${line}` }: EntryOptions = {},
  ): Parts['entries'][number] {
    const canonicalizedBody = Buffer.from(canonical(body));
    const leaves = Array.from({ length: SIZE }, (_, index) =>
      index === INDEX ? canonicalizedBody : Buffer.from(`entry ${index} of ${this.name}`),
    );
    const rootHash = rootOf(leaves);
    const note = `${this.name}\n${SIZE}\n${rootHash.toString('base64')}\n`;
    const integratedTime = at === undefined ? 0 : Math.floor(at.getTime() / 1000);
    return {
      logIndex: String(INDEX),
      logId: { keyId: this.keyId },
      kindVersion: { kind: body.kind, version: body.apiVersion },
      integratedTime: String(integratedTime),
      inclusionPromise:
        at === undefined
          ? undefined
          : { signedEntryTimestamp: this.#promise(canonicalizedBody, integratedTime) },
      inclusionProof: {
        logIndex: String(INDEX),
        treeSize: String(SIZE),
        rootHash,
        hashes: pathOf(leaves, INDEX),
        checkpoint: { envelope: checkpoint(note, this.line(note)) },
      },
      canonicalizedBody,
    };
  }

  /** A signature line, under any name. */
  line(note: string, name = this.name): string {
    const signature = this.#sign(Buffer.from(note));
    return lineOf(name, Buffer.concat([this.keyId.subarray(0, 4), signature]));
  }

  #promise(body: Buffer, integratedTime: number): Buffer {
    const promised = {
      body: body.toString('base64'),
      integratedTime,
      logID: this.keyId.toString('hex'),
      logIndex: INDEX,
    };
    return this.#sign(Buffer.from(canonical(promised)));
  }

  #sign(content: Buffer): Buffer {
    return sign(this.#hash, content, this.#keys.privateKey);
  }
}

export function lineOf(name: string, signature: Buffer): string {
  return `\u2014 ${name} ${signature.toString('base64')}\n`;
}

/** RFC 8785, for what is in here. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`;
}

/** RFC 9162 section 2.1.1. */
function rootOf(leaves: readonly Buffer[]): Buffer {
  const [only = Buffer.alloc(0)] = leaves;
  if (leaves.length === 1) return sha256(Buffer.of(0), only);
  const half = splitOf(leaves.length);
  return sha256(Buffer.of(1), rootOf(leaves.slice(0, half)), rootOf(leaves.slice(half)));
}

/** RFC 9162 section 2.1.3.1. */
function pathOf(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length === 1) return [];
  const half = splitOf(leaves.length);
  return index < half
    ? [...pathOf(leaves.slice(0, half), index), rootOf(leaves.slice(half))]
    : [...pathOf(leaves.slice(half), index - half), rootOf(leaves.slice(0, half))];
}

function splitOf(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

function derOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}
