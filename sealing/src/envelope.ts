/**
 * Sealing and unsealing under a key of the secure processor.
 *
 * The key of an envelope is HKDF-SHA-256 of the processor's key, salted with 32 random bytes, over
 * all that the processor does not mix in by itself. It encrypts once, with AES-256-GCM: so the
 * nonce is zero, and the header is the additional data.
 *
 * @module
 */
import { concat, lengthPrefixed, ownedBytes } from './bytes.ts';
import { SealingError } from './errors.ts';
import { encodeHeader, MAX_HEADER, parseHeader, type SealedHeader, withContent } from './header.ts';

const { subtle } = globalThis.crypto;

/** The longest value that is sealed, in bytes. */
export const MAX_SEALED = 64 * 1024;
const TAG_SIZE = 16;
/** The longest envelope, in bytes. */
export const MAX_ENVELOPE = MAX_HEADER + MAX_SEALED + TAG_SIZE;

const KEY_SIZE = 32;
const NONCE = new Uint8Array(12);
const DOMAINS = {
  seal: 'a3s-box/seal/v1',
  derive: 'a3s-box/derive/v1',
  reference: 'a3s-box/reference/v1',
} as const;

/** An envelope whose header was read, and nothing of it verified. */
export interface Envelope {
  readonly header: SealedHeader;
  /** The header's bytes, which are authenticated. */
  readonly headerBytes: Uint8Array;
  /** Ciphertext, and behind it the tag. */
  readonly content: Uint8Array;
}

/** @throws {SealingError} `envelope-malformed`, `envelope-version` */
export function parseEnvelope(input: Uint8Array): Envelope {
  const bytes = ownedBytes(input, 'envelope');
  const { header, size } = parseHeader(bytes);
  const content = bytes.slice(size);
  if (content.length < TAG_SIZE || content.length > MAX_SEALED + TAG_SIZE) {
    const why = `it has ${content.length} bytes behind its header`;
    throw new SealingError('envelope-malformed', `Cannot read the envelope: ${why}.`);
  }
  return { header, headerBytes: bytes.slice(0, size), content };
}

/**
 * Seals a value under the key that the processor gives for `keyRequestOf(header)`.
 *
 * @throws RangeError for a value or a header that cannot be
 */
export async function seal(
  value: Uint8Array,
  header: SealedHeader,
  processorKey: Uint8Array,
): Promise<Uint8Array> {
  const plaintext = ownedBytes(value, 'value');
  if (plaintext.length > MAX_SEALED) {
    throw new RangeError(`the value has ${plaintext.length} bytes, more than ${MAX_SEALED}`);
  }
  const additionalData = new Uint8Array(encodeHeader(header));
  const key = await contentKey(header, processorKey);
  const algorithm = { name: 'AES-GCM', iv: NONCE, additionalData };
  const content = new Uint8Array(await subtle.encrypt(algorithm, key, plaintext));
  return withContent(additionalData, content);
}

/**
 * Opens an envelope with the key that the processor gives for `keyRequestOf(header)`. Which guest
 * may open it is for {@link requirePermitted} to say, before the key is asked for.
 *
 * @throws {SealingError} `seal-broken`, and those of {@link parseEnvelope}
 */
export async function unseal(input: Uint8Array, processorKey: Uint8Array): Promise<Uint8Array> {
  const { header, headerBytes, content } = parseEnvelope(input);
  const key = await contentKey(header, processorKey);
  const additionalData = new Uint8Array(headerBytes);
  const algorithm = { name: 'AES-GCM', iv: NONCE, additionalData };
  try {
    return new Uint8Array(await subtle.decrypt(algorithm, key, new Uint8Array(content)));
  } catch (cause) {
    const message = 'Cannot open the envelope: it was changed, or another processor sealed it.';
    throw new SealingError('seal-broken', message, { cause });
  }
}

/** The 32 bytes that a workload gets for a header, and that no envelope is sealed with. */
export async function derivedKey(
  header: SealedHeader,
  processorKey: Uint8Array,
): Promise<Uint8Array> {
  const material = await importKey(processorKey);
  return new Uint8Array(await subtle.deriveBits(hkdf('derive', header), material, 8 * KEY_SIZE));
}

/**
 * What `derive` of the agent hands out to have its key again: a header, and HMAC-SHA-256 of it
 * under a key of its own.
 */
export async function referenceOf(
  header: SealedHeader,
  processorKey: Uint8Array,
): Promise<Uint8Array> {
  const encoded = new Uint8Array(encodeHeader(header));
  const material = await importKey(processorKey);
  const kind = { name: 'HMAC', hash: 'SHA-256', length: 8 * KEY_SIZE };
  const key = await subtle.deriveKey(hkdf('reference', header), material, kind, false, ['sign']);
  return concat([encoded, new Uint8Array(await subtle.sign('HMAC', key, encoded))]);
}

async function contentKey(header: SealedHeader, processorKey: Uint8Array) {
  const material = await importKey(processorKey);
  const kind = { name: 'AES-GCM', length: 8 * KEY_SIZE };
  return subtle.deriveKey(hkdf('seal', header), material, kind, false, ['encrypt', 'decrypt']);
}

/** A zero key is what a processor answers that has none. */
function importKey(processorKey: Uint8Array) {
  const key = ownedBytes(processorKey, 'processorKey');
  if (key.length !== KEY_SIZE || key.every((byte) => byte === 0)) {
    throw new TypeError(`processorKey must be ${KEY_SIZE} bytes, and not zero`);
  }
  return subtle.importKey('raw', key, 'HKDF', false, ['deriveBits', 'deriveKey']);
}

/** HOST_DATA and the ID key are here because no processor mixes them into its keys. */
function hkdf(kind: keyof typeof DOMAINS, header: SealedHeader) {
  const { hostData, measurement, idKeyDigest, purpose, salt } = header;
  const info = lengthPrefixed([DOMAINS[kind], hostData, measurement, idKeyDigest, purpose]);
  return { name: 'HKDF', hash: 'SHA-256', salt: concat([salt]), info };
}
