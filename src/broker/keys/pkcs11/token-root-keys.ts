/**
 * A root key on a token: PKCS#11. Its epochs are AES-256 keys of one label, which the token makes
 * and never gives away; it wraps and unwraps data keys itself, with AES-GCM.
 *
 * @module
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { Semaphore } from '../../../async/semaphore.ts';
import { A3sError } from '../../../errors.ts';
import { contextOf, KEY_BYTES } from '../aead.ts';
import { readPrivateFile } from '../private-file.ts';
import type { RootKeys } from '../root-keys.ts';
import {
  CKA,
  CKK_AES,
  CKO_SECRET_KEY,
  CKR,
  Cryptoki,
  isFailure,
  TAG_BYTES,
  TokenFailure,
  type Value,
} from './cryptoki.ts';

/** Where the root key is. */
export interface TokenPlace {
  /** The library of the token. */
  readonly module: string;
  /** The label of the token. */
  readonly token: string;
  /** The label of its keys. */
  readonly label: string;
  /** A file with the PIN of the token's user, which only its owner can read. */
  readonly pinFile: string;
}

const MAX_PIN = 256;
const ID_BYTES = 4;
const NONCE_BYTES = 12;
const FINGERPRINT = 'a3s-box/broker-token-fingerprint/v1';
/** The fingerprint's own: data keys have random ones, of which none is this. */
const FINGERPRINT_NONCE = new Uint8Array(NONCE_BYTES);

/** After these a new session may work: the token was away, or its library has forgotten it. */
const LOST = [
  ...[CKR.DEVICE_ERROR, CKR.DEVICE_REMOVED, CKR.TOKEN_NOT_PRESENT, CKR.USER_NOT_LOGGED_IN],
  ...[CKR.SESSION_CLOSED, CKR.SESSION_HANDLE_INVALID],
  ...[CKR.KEY_HANDLE_INVALID, CKR.OBJECT_HANDLE_INVALID],
];

/** Makes the first epoch. @throws A3sError `broker-conflict` where the token has such a key */
export async function createTokenKey(place: TokenPlace): Promise<void> {
  const token = new Token(place);
  await token.refresh();
  if (token.keys.size > 0) {
    const name = `${place.label} on the token ${place.token}`;
    throw new A3sError('broker-conflict', `Cannot make the root key ${name}: it exists`, {
      remedy: 'Serve with it, or name another label.',
    });
  }
  await token.generate(1);
}

/** @throws A3sError `root-key`, `broker-config` */
export async function openTokenKeys(place: TokenPlace): Promise<RootKeys> {
  const keys = new TokenRootKeys(new Token(place));
  await keys.refresh();
  if (keys.epochs.length > 0) return keys;
  const { label, token } = place;
  throw new A3sError('root-key', `The token ${token} has no key ${label}`, {
    remedy: 'Use the token that the broker used last; `broker init` makes a key for a new broker.',
  });
}

class TokenRootKeys implements RootKeys {
  readonly #token: Token;

  constructor(token: Token) {
    this.#token = token;
  }

  get epochs(): readonly number[] {
    return [...this.#token.keys.keys()].toSorted((a, b) => a - b);
  }

  async wrap(epoch: number, dataKey: Uint8Array, context: Uint8Array): Promise<Buffer> {
    const nonce = randomBytes(NONCE_BYTES);
    return Buffer.concat([nonce, await this.#token.encrypt(epoch, dataKey, nonce, context)]);
  }

  async unwrap(
    epoch: number,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<Buffer | undefined> {
    if (wrapped.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const nonce = wrapped.subarray(0, NONCE_BYTES);
    const sealed = wrapped.subarray(NONCE_BYTES);
    return this.#token.decrypt(epoch, sealed, nonce, context);
  }

  fingerprint(epoch: number): Promise<string> {
    return this.#token.fingerprint(epoch);
  }

  refresh(): Promise<void> {
    return this.#token.refresh();
  }

  async add(): Promise<number> {
    await this.refresh();
    const epoch = Math.max(...this.epochs) + 1;
    await this.#token.generate(epoch);
    return epoch;
  }

  async retireBelow(epoch: number): Promise<void> {
    await this.refresh();
    const old = this.epochs.filter((each) => each < epoch);
    if (old.length === this.epochs.length) throw new RangeError('a root key keeps one epoch');
    for (const each of old) await this.#token.destroy(each);
  }
}

/** The session with a token; one call at a time. */
class Token {
  readonly #place: TokenPlace;
  readonly #turns = new Semaphore(1);
  #library: Cryptoki | undefined;
  #session: bigint | undefined;
  /** Of the session: another one may give a handle to another key. */
  #keys: ReadonlyMap<number, bigint> = new Map();
  /** Of each epoch that was ever found: a label is no proof of the token. */
  readonly #fingerprints = new Map<number, string>();
  readonly #pinKey = randomBytes(KEY_BYTES);
  /** The digest of the PIN that the token has refused. */
  #refusedPin: string | undefined;

  constructor(place: TokenPlace) {
    this.#place = place;
  }

  /** Epoch → its handle in the session. */
  get keys(): ReadonlyMap<number, bigint> {
    return this.#keys;
  }

  /** Looks for the keys anew. */
  refresh(): Promise<void> {
    return this.#use((library, session) => this.#look(library, session));
  }

  generate(epoch: number): Promise<void> {
    const template = new Map<number, Value>([
      ...this.#wanted(),
      [CKA.ID, idOf(epoch)],
      [CKA.TOKEN, true],
      [CKA.PRIVATE, true],
      [CKA.SENSITIVE, true],
      [CKA.EXTRACTABLE, false],
      [CKA.ENCRYPT, true],
      [CKA.DECRYPT, true],
      [CKA.VALUE_LEN, BigInt(KEY_BYTES)],
    ]);
    return this.#use(async (library, session) => {
      await library.generateKey(session, template);
      await this.#look(library, session);
    });
  }

  destroy(epoch: number): Promise<void> {
    return this.#use(async (library, session) => {
      const key = this.#keys.get(epoch);
      if (key !== undefined) await library.destroy(session, key);
      await this.#look(library, session);
    });
  }

  fingerprint(epoch: number): Promise<string> {
    return this.#use((library, session) =>
      fingerprintOf(library, session, { epoch, key: this.#key(epoch) }),
    );
  }

  encrypt(epoch: number, plain: Uint8Array, iv: Uint8Array, aad: Uint8Array): Promise<Buffer> {
    return this.#use((library, session) =>
      library.encrypt(session, this.#key(epoch), plain, { iv, aad }),
    );
  }

  /** Undefined for what the key did not encrypt. */
  decrypt(
    epoch: number,
    sealed: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
  ): Promise<Buffer | undefined> {
    return this.#use(async (library, session) => {
      const key = this.#key(epoch);
      try {
        return await library.decrypt(session, key, sealed, { iv, aad });
      } catch (error) {
        if (!isFailure(error, ...NOT_ENCRYPTED)) throw error;
        // SoftHSM has one code for a wrong tag and for its own failures: a token that fails does
        // not encrypt either.
        await library.encrypt(session, key, new Uint8Array(KEY_BYTES), {
          iv: randomBytes(NONCE_BYTES),
          aad,
        });
        return undefined;
      }
    });
  }

  #key(epoch: number): bigint {
    const key = this.#keys.get(epoch);
    if (key !== undefined) return key;
    const { label, token } = this.#place;
    throw new A3sError('root-key', `The key ${label} on the token ${token} has no epoch ${epoch}`, {
      remedy: 'Use the token that the broker used last.',
    });
  }

  #use<T>(work: (library: Cryptoki, session: bigint) => Promise<T>): Promise<T> {
    return this.#turns.run(async () => {
      try {
        const known = this.#session;
        const { library, session } = await this.#opened();
        try {
          return await work(library, session);
        } catch (error) {
          if (known === undefined || !isFailure(error, ...LOST)) throw error;
        }
        // The old session may be there still.
        await library.closeSession(session).catch(() => undefined);
        this.#session = undefined;
        const opened = await this.#opened();
        return await work(library, opened.session);
      } catch (error) {
        if (!(error instanceof TokenFailure)) throw error;
        const message = `Cannot use the token ${this.#place.token}: ${error.message}`;
        throw new A3sError('root-key', message, { cause: error });
      }
    });
  }

  async #opened(): Promise<{ readonly library: Cryptoki; readonly session: bigint }> {
    const { module, token, pinFile } = this.#place;
    this.#library ??= await Cryptoki.load(module);
    const library = this.#library;
    if (this.#session !== undefined) return { library, session: this.#session };
    const [slot, ...others] = await library.slotsOf(token);
    if (slot === undefined || others.length > 0) {
      const found = slot === undefined ? 'no token' : 'more than one token';
      throw new A3sError('root-key', `There is ${found} ${token} for ${module}`);
    }
    const pin = await readPrivateFile(pinFile, MAX_PIN);
    try {
      this.#session = await this.#loggedIn(library, slot, withoutLineEnd(pin));
    } finally {
      pin.fill(0);
    }
    return { library, session: this.#session };
  }

  /** A session, with its keys. A refused PIN is not tried again: a token counts, and locks. */
  async #loggedIn(library: Cryptoki, slot: bigint, pin: Uint8Array): Promise<bigint> {
    const digest = createHmac('sha256', this.#pinKey).update(pin).digest('hex');
    if (digest === this.#refusedPin) {
      const { token, pinFile } = this.#place;
      throw new A3sError('root-key', `The token ${token} has refused the PIN of ${pinFile}`, {
        remedy: 'Put the right PIN there. If it is right by now, start the broker again.',
      });
    }
    const session = await library.openSession(slot);
    try {
      await library.login(session, pin);
      await this.#look(library, session);
    } catch (error) {
      if (isFailure(error, CKR.PIN_INCORRECT, CKR.PIN_LEN_RANGE)) this.#refusedPin = digest;
      await library.closeSession(session);
      throw error;
    }
    return session;
  }

  #wanted(): ReadonlyMap<number, Value> {
    return new Map<number, Value>([
      [CKA.CLASS, CKO_SECRET_KEY],
      [CKA.KEY_TYPE, CKK_AES],
      [CKA.LABEL, Buffer.from(this.#place.label)],
    ]);
  }

  /** @throws A3sError `root-key` for another key than the one that an epoch had before */
  async #look(library: Cryptoki, session: bigint): Promise<void> {
    const keys = await this.#find(library, session);
    for (const [epoch, key] of keys) {
      const found = await fingerprintOf(library, session, { epoch, key });
      if ((this.#fingerprints.get(epoch) ?? found) !== found) {
        const { label, token } = this.#place;
        const message = `The key ${label} on the token ${token} has another epoch ${epoch}`;
        throw new A3sError('root-key', message, {
          remedy: 'Use the token that the broker used last, and start the broker again.',
        });
      }
      this.#fingerprints.set(epoch, found);
    }
    this.#keys = keys;
  }

  async #find(library: Cryptoki, session: bigint): Promise<ReadonlyMap<number, bigint>> {
    const found = new Map<number, bigint>();
    for (const key of await library.find(session, this.#wanted())) {
      const id = await library.attribute(session, key, CKA.ID);
      const epoch = id.length === ID_BYTES ? id.readUInt32BE() : 0;
      if (epoch === 0 || found.has(epoch)) throw this.#unusable(`its ID is ${id.toString('hex')}`);
      const [sensitive] = await library.attribute(session, key, CKA.SENSITIVE);
      const [extractable] = await library.attribute(session, key, CKA.EXTRACTABLE);
      if (sensitive !== 1 || extractable !== 0) throw this.#unusable('the token gives it away');
      found.set(epoch, key);
    }
    return found;
  }

  #unusable(reason: string): A3sError {
    const { label, token } = this.#place;
    return new A3sError('root-key', `Cannot use a key ${label} on the token ${token}: ${reason}`, {
      remedy: 'Name a label that only the keys of this broker have, which `broker init` makes.',
    });
  }
}

const NOT_ENCRYPTED = [
  ...[CKR.ENCRYPTED_DATA_INVALID, CKR.ENCRYPTED_DATA_LEN_RANGE, CKR.AEAD_DECRYPT_FAILED],
  CKR.GENERAL_ERROR,
];

async function fingerprintOf(
  library: Cryptoki,
  session: bigint,
  { epoch, key }: { readonly epoch: number; readonly key: bigint },
): Promise<string> {
  const aad = contextOf(FINGERPRINT, epoch);
  const zeros = new Uint8Array(KEY_BYTES);
  const tag = await library.encrypt(session, key, zeros, { iv: FINGERPRINT_NONCE, aad });
  return createHash('sha256').update(aad).update(tag).digest('hex');
}

function idOf(epoch: number): Buffer {
  const id = Buffer.alloc(ID_BYTES);
  id.writeUInt32BE(epoch);
  return id;
}

function withoutLineEnd(pin: Buffer): Buffer {
  return pin.at(-1) === 0x0a ? pin.subarray(0, -1) : pin;
}
