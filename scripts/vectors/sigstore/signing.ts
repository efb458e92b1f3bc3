/**
 * Valid signatures of the vectors, before a fault is put into them.
 *
 * @module
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { preAuthEncoding } from '../../../src/trust/artifact/dsse.ts';
import {
  BUNDLE,
  type LayerParts,
  signWith,
  statementOf,
} from '../../../src/trust/testing/artifacts.ts';
import { IMAGE, PAYLOAD, STATEMENT } from '../../../src/trust/testing/one-signature.ts';
import {
  BODIES,
  BODIES_V2,
  bundleJson,
  bundleLayers,
  type Parts,
  pemOf,
} from '../../../src/trust/testing/signatures.ts';
import { ISSUER, pair, SUBJECT } from '../../../src/trust/testing/sigstore-world.ts';
import { type Authorities, CLOCK, type RootDocument } from './make-authorities.ts';
import type { EntryOptions, TestLog } from './test-log.ts';

export { CLOCK, IMAGE, PAYLOAD, STATEMENT };

/** What a case makes of the authorities. */
export interface Made {
  readonly parts: Parts;
  /** [0.3] */
  readonly version?: '0.1' | '0.2' | '0.3' | '0.3-legacy';
  /** Changes the bundle's JSON. */
  readonly json?: (json: object) => object;
  readonly text?: (text: string) => string;
  /** Instead of the payload, beside the bundle. */
  readonly beside?: Buffer;
  /** Instead of a bundle. */
  readonly layers?: readonly LayerParts[];
  readonly root?: (root: RootDocument) => object;
  /** Instead of the identity. */
  readonly require?: object;
}

export type Case = readonly [
  name: string,
  expected: string,
  comment: string,
  make: (all: Authorities) => Made | Promise<Made>,
];

const MEDIA_TYPES = {
  '0.1': 'application/vnd.dev.sigstore.bundle+json;version=0.1',
  '0.2': 'application/vnd.dev.sigstore.bundle+json;version=0.2',
  '0.3': BUNDLE,
  '0.3-legacy': 'application/vnd.dev.sigstore.bundle+json;version=0.3',
};

export interface SignerOptions {
  /** Signs without a certificate. */
  readonly key?: KeyObject;
  readonly hash?: 'sha256' | 'sha384' | 'sha512';
  readonly payload?: Buffer;
}

/** A signature that is in no log yet. */
export async function signed(
  all: Pick<Authorities, 'main'>,
  enveloped: boolean,
  { key, hash = 'sha256', payload = enveloped ? STATEMENT : PAYLOAD }: SignerOptions = {},
): Promise<Parts> {
  const privateKey = key ?? pair().privateKey;
  const certificate =
    key === undefined ? await all.main.certify(createPublicKey(privateKey)) : undefined;
  const parts = { payload, enveloped, hash, entries: [], timestamps: [] };
  const signature = signWith(privateKey, signedBytes(parts), hash);
  return { ...parts, signature, ...(certificate && { certificate }) };
}

/** The same payload signed once more, by the same key: ECDSA gives another signature. */
export function signedAgain(parts: Parts, key: KeyObject): Parts {
  return { ...parts, signature: signWith(key, signedBytes(parts)) };
}

function signedBytes({ payload, enveloped }: Pick<Parts, 'payload' | 'enveloped'>): Buffer {
  return enveloped ? preAuthEncoding('application/vnd.in-toto+json', payload) : payload;
}

/** As Rekor v1 logs it. */
export function entryV1(
  log: TestLog,
  parts: Parts,
  {
    kind = parts.enveloped ? 'dsse' : 'hashedrekord',
    verifier,
    ...options
  }: EntryOptions & { kind?: keyof typeof BODIES; verifier?: Buffer | KeyObject } = {},
) {
  const pem = pemOf(verifier ?? parts.certificate ?? Buffer.alloc(0));
  return log.entry(BODIES[kind](parts, pem), { at: CLOCK, ...options });
}

/** As Rekor v2 logs it: what was signed, as a hash. */
export function entryV2(
  log: TestLog,
  parts: Parts,
  {
    kind = 'hashedrekord',
    verifier,
    ...options
  }: EntryOptions & { kind?: keyof typeof BODIES_V2; verifier?: Buffer | KeyObject } = {},
) {
  const by = verifier ?? parts.certificate ?? Buffer.alloc(0);
  return log.entry(BODIES_V2[kind](parts, by), options);
}

/** With the log's promise, which says when. */
export async function loggedV1(all: Authorities, enveloped: boolean): Promise<Parts> {
  const parts = await signed(all, enveloped);
  return { ...parts, entries: [entryV1(all.v1, parts)] };
}

/** With a timestamp, since the log does not say when. */
export async function loggedV2(
  all: Authorities,
  enveloped: boolean,
  options?: EntryOptions,
): Promise<Parts> {
  const parts = await signed(all, enveloped);
  return {
    ...parts,
    entries: [entryV2(all.v2, parts, options)],
    timestamps: [await all.main.stamp(parts.signature)],
  };
}

export function identity(subject = SUBJECT): object {
  return { issuer: ISSUER, subject };
}

export function otherStatement(): Buffer {
  return statementOf(IMAGE, { predicate: { another: true } });
}

export function layersOf({ parts, version = '0.3', ...made }: Made): readonly LayerParts[] {
  if (made.layers !== undefined) return made.layers;
  const mediaType = MEDIA_TYPES[version];
  const json = made.json ?? ((same: object) => same);
  const layers = bundleLayers(parts, json(bundleJson(parts, mediaType)));
  return layers.map((layer) => {
    if (layer.mediaType !== BUNDLE) return { ...layer, content: made.beside ?? layer.content };
    const text = layer.content.toString();
    return { mediaType, content: Buffer.from(made.text?.(text) ?? text) };
  });
}

/** A copy of a document with another value at a path; undefined removes what is there. */
export function changed(document: object, path: string, value: unknown): object {
  const copy: object = JSON.parse(JSON.stringify(document));
  const names = path.split('.');
  const last = names.pop() ?? '';
  const holder = names.reduce<unknown>((one, name) => Reflect.get(Object(one), name), copy);
  if (typeof holder !== 'object' || holder === null) throw new TypeError(`nothing is at ${path}`);
  if (value === undefined) Reflect.deleteProperty(holder, last);
  else Reflect.set(holder, last, value);
  return copy;
}

export function flipped(bytes: Buffer, index = bytes.length - 1): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(index) ^ 1, index);
  return copy;
}
