/**
 * Calls of PKCS#11 2.40 into the library of a token, by koffi.
 *
 * Each call runs on a thread beside the event loop: a token may take its time. Structures are laid
 * out for 64-bit Linux, in memory that is held until the call returns.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';

/** A call that the token refused. */
export class TokenFailure extends Error {
  readonly code: number;

  constructor(call: string, code: number) {
    super(`${call}: ${NAMES[code] ?? `error 0x${code.toString(16)}`}`);
    this.code = code;
  }
}

export const CKR = {
  GENERAL_ERROR: 0x05,
  FUNCTION_FAILED: 0x06,
  ARGUMENTS_BAD: 0x07,
  ATTRIBUTE_SENSITIVE: 0x11,
  DEVICE_ERROR: 0x30,
  DEVICE_REMOVED: 0x32,
  ENCRYPTED_DATA_INVALID: 0x40,
  ENCRYPTED_DATA_LEN_RANGE: 0x41,
  AEAD_DECRYPT_FAILED: 0x42,
  KEY_HANDLE_INVALID: 0x60,
  OBJECT_HANDLE_INVALID: 0x82,
  PIN_INCORRECT: 0xa0,
  PIN_LEN_RANGE: 0xa2,
  PIN_EXPIRED: 0xa3,
  PIN_LOCKED: 0xa4,
  SESSION_CLOSED: 0xb0,
  SESSION_HANDLE_INVALID: 0xb3,
  TOKEN_NOT_PRESENT: 0xe0,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  USER_PIN_NOT_INITIALIZED: 0x102,
  MECHANISM_INVALID: 0x70,
  MECHANISM_PARAM_INVALID: 0x71,
  CRYPTOKI_ALREADY_INITIALIZED: 0x191,
} as const;

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(CKR).map(([name, code]) => [code, `CKR_${name}`]),
);

/** Attributes of objects. */
export const CKA = {
  CLASS: 0x000,
  TOKEN: 0x001,
  PRIVATE: 0x002,
  LABEL: 0x003,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  ENCRYPT: 0x104,
  DECRYPT: 0x105,
  EXTRACTABLE: 0x162,
  VALUE_LEN: 0x161,
} as const;

export const CKO_SECRET_KEY = 4n;
export const CKK_AES = 0x1fn;
export const CKM_AES_KEY_GEN = 0x1080n;
export const CKM_AES_GCM = 0x1087n;
const CKU_USER = 1n;
const CKF_OS_LOCKING_OK = 2n;
const CKF_RW_SERIAL_SESSION = 6n;

const LONG = 8;
const MAX_SLOTS = 256;
const MAX_OBJECTS = 256;
/** `label` is the first member of CK_TOKEN_INFO, which has 208 bytes. */
const TOKEN_INFO = 208;
const TOKEN_LABEL = 32;

export type Value = bigint | boolean | Uint8Array;
type Pointer = Buffer | bigint | null;
type Call = (...args: readonly Pointer[]) => Promise<number>;

/** Memory of this process that C may keep the address of: no garbage collection moves it. */
export function memory(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size));
}

function copied(bytes: Uint8Array): Buffer {
  const copy = memory(bytes.length);
  copy.set(bytes);
  return copy;
}

/** The bytes of numbers, one after the other. */
function longs(...values: readonly bigint[]): Buffer {
  const bytes = memory(values.length * LONG);
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(value, index * LONG);
  return bytes;
}

const CALLS = {
  C_Initialize: 'void *',
  C_GetSlotList: 'uint8_t, void *, void *',
  C_GetTokenInfo: 'unsigned long, void *',
  C_OpenSession: 'unsigned long, unsigned long, void *, void *, void *',
  C_CloseSession: 'unsigned long',
  C_Login: 'unsigned long, unsigned long, void *, unsigned long',
  C_FindObjectsInit: 'unsigned long, void *, unsigned long',
  C_FindObjects: 'unsigned long, void *, unsigned long, void *',
  C_FindObjectsFinal: 'unsigned long',
  C_GetAttributeValue: 'unsigned long, unsigned long, void *, unsigned long',
  C_GenerateKey: 'unsigned long, void *, void *, unsigned long, void *',
  C_DestroyObject: 'unsigned long, unsigned long',
  C_EncryptInit: 'unsigned long, void *, unsigned long',
  C_Encrypt: 'unsigned long, void *, unsigned long, void *, void *',
  C_DecryptInit: 'unsigned long, void *, unsigned long',
  C_Decrypt: 'unsigned long, void *, unsigned long, void *, void *',
} as const;

type Calls = Readonly<Record<keyof typeof CALLS, Call>>;

export interface GcmParameters {
  readonly iv: Uint8Array;
  readonly aad: Uint8Array;
}

export const TAG_BYTES = 16;

export class Cryptoki {
  readonly #calls: Calls;
  readonly #address: (bytes: Buffer) => bigint;

  private constructor(calls: Calls, address: (bytes: Buffer) => bigint) {
    this.#calls = calls;
    this.#address = address;
  }

  /** @throws A3sError `broker-config` for what is no library of PKCS#11 */
  static async load(path: string): Promise<Cryptoki> {
    const { default: koffi } = await import('koffi');
    const calls = declared(path, () => {
      const library = koffi.load(path);
      return Object.entries(CALLS).map(([name, types]) => {
        const call = library.func(`unsigned long ${name}(${types})`);
        const run: Call = (...args) =>
          new Promise((resolve, reject) => {
            call.async(...args, (error: Error | null, code: number | bigint) => {
              if (error) reject(error);
              else if (Number(code) === 0) resolve(0);
              else reject(new TokenFailure(name, Number(code)));
            });
          });
        return [name, run] as const;
      });
    });
    const address = (bytes: Buffer): bigint =>
      bytes.length === 0 ? 0n : BigInt(koffi.address(bytes));
    const library = new Cryptoki(Object.fromEntries(calls) as unknown as Calls, address);
    await library.#initialize();
    return library;
  }

  /** The slots whose token has this label. */
  async slotsOf(label: string): Promise<readonly bigint[]> {
    const count = longs(BigInt(MAX_SLOTS));
    const slots = memory(MAX_SLOTS * LONG);
    await this.#calls.C_GetSlotList(1n, slots, count);
    const found: bigint[] = [];
    for (const slot of numbersOf(slots, count)) {
      const info = memory(TOKEN_INFO);
      await this.#calls.C_GetTokenInfo(slot, info);
      // Blanks fill it up.
      if (info.toString('utf8', 0, TOKEN_LABEL).trimEnd() === label) found.push(slot);
    }
    return found;
  }

  async openSession(slot: bigint): Promise<bigint> {
    const session = memory(LONG);
    await this.#calls.C_OpenSession(slot, CKF_RW_SERIAL_SESSION, null, null, session);
    return session.readBigUInt64LE();
  }

  async closeSession(session: bigint): Promise<void> {
    await this.#calls.C_CloseSession(session);
  }

  async login(session: bigint, pin: Uint8Array): Promise<void> {
    const held = copied(pin);
    try {
      await this.#calls.C_Login(session, CKU_USER, held, BigInt(held.length));
    } catch (error) {
      // Of this process, another session of the same token was.
      if (!isFailure(error, CKR.USER_ALREADY_LOGGED_IN)) throw error;
    } finally {
      held.fill(0);
    }
  }

  async find(session: bigint, wanted: ReadonlyMap<number, Value>): Promise<readonly bigint[]> {
    const objects = memory(MAX_OBJECTS * LONG);
    const count = memory(LONG);
    await this.#withTemplate(wanted, (template, length) =>
      this.#calls.C_FindObjectsInit(session, template, length),
    );
    try {
      await this.#calls.C_FindObjects(session, objects, BigInt(MAX_OBJECTS), count);
    } finally {
      await this.#calls.C_FindObjectsFinal(session);
    }
    return numbersOf(objects, count);
  }

  /** An attribute of up to 64 bytes. */
  async attribute(session: bigint, object: bigint, type: number): Promise<Buffer> {
    const value = memory(64);
    const template = longs(BigInt(type), this.#address(value), BigInt(value.length));
    await this.#calls.C_GetAttributeValue(session, object, template, 1n);
    const length = Number(template.readBigUInt64LE(2 * LONG));
    return value.subarray(0, Math.min(length, value.length));
  }

  async generateKey(session: bigint, template: ReadonlyMap<number, Value>): Promise<bigint> {
    const key = memory(LONG);
    const mechanism = longs(CKM_AES_KEY_GEN, 0n, 0n);
    await this.#withTemplate(template, (attributes, length) =>
      this.#calls.C_GenerateKey(session, mechanism, attributes, length, key),
    );
    mechanism.fill(0);
    return key.readBigUInt64LE();
  }

  async destroy(session: bigint, object: bigint): Promise<void> {
    await this.#calls.C_DestroyObject(session, object);
  }

  /** AES-GCM; the tag is behind what is encrypted. */
  async encrypt(
    session: bigint,
    key: bigint,
    plain: Uint8Array,
    parameters: GcmParameters,
  ): Promise<Buffer> {
    return this.#cipher('Encrypt', session, key, plain, parameters);
  }

  /** @throws TokenFailure */
  async decrypt(
    session: bigint,
    key: bigint,
    sealed: Uint8Array,
    parameters: GcmParameters,
  ): Promise<Buffer> {
    return this.#cipher('Decrypt', session, key, sealed, parameters);
  }

  async #cipher(
    what: 'Encrypt' | 'Decrypt',
    session: bigint,
    key: bigint,
    bytes: Uint8Array,
    { iv, aad }: GcmParameters,
  ): Promise<Buffer> {
    const [input, nonce, context] = [copied(bytes), copied(iv), copied(aad)];
    const parameters = longs(
      ...[this.#address(nonce), BigInt(nonce.length), BigInt(nonce.length * 8)],
      ...[this.#address(context), BigInt(context.length), BigInt(TAG_BYTES * 8)],
    );
    const mechanism = longs(CKM_AES_GCM, this.#address(parameters), BigInt(parameters.length));
    const output = memory(input.length + TAG_BYTES);
    const length = longs(BigInt(output.length));
    try {
      await this.#calls[`C_${what}Init`](session, mechanism, key);
      await this.#calls[`C_${what}`](session, input, BigInt(input.length), output, length);
      return Buffer.from(output.subarray(0, Number(length.readBigUInt64LE())));
    } finally {
      // What the structures point to has to live until here.
      for (const each of [input, nonce, context, parameters, mechanism, output]) each.fill(0);
    }
  }

  async #initialize(): Promise<void> {
    // Four functions that are not given, the flags, and what is reserved.
    const args = longs(0n, 0n, 0n, 0n, CKF_OS_LOCKING_OK, 0n);
    try {
      await this.#calls.C_Initialize(args);
    } catch (error) {
      if (!isFailure(error, CKR.CRYPTOKI_ALREADY_INITIALIZED)) throw error;
    } finally {
      args.fill(0);
    }
  }

  async #withTemplate(
    attributes: ReadonlyMap<number, Value>,
    use: (template: Buffer, length: bigint) => Promise<unknown>,
  ): Promise<void> {
    const values = [...attributes].map(([type, value]) => [type, bytesOf(value)] as const);
    const template = longs(
      ...values.flatMap(([type, value]) => [
        BigInt(type),
        this.#address(value),
        BigInt(value.length),
      ]),
    );
    try {
      await use(template, BigInt(values.length));
    } finally {
      // The template, and what it points to, have to live until here.
      for (const each of [template, ...values.map(([, value]) => value)]) each.fill(0);
    }
  }
}

export function isFailure(error: unknown, ...codes: readonly number[]): error is TokenFailure {
  return error instanceof TokenFailure && codes.includes(error.code);
}

function declared<T>(path: string, declare: () => T): T {
  try {
    return declare();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('broker-config', `Cannot load the module ${path}: ${reason}`, {
      remedy: '`rootKey.pkcs11.module` names the library of the token, as `libsofthsm2.so` is one.',
      cause,
    });
  }
}

function numbersOf(bytes: Buffer, count: Buffer): readonly bigint[] {
  const length = Math.min(Number(count.readBigUInt64LE()), bytes.length / LONG);
  return Array.from({ length }, (_, index) => bytes.readBigUInt64LE(index * LONG));
}

function bytesOf(value: Value): Buffer {
  if (typeof value === 'bigint') return longs(value);
  return copied(typeof value === 'boolean' ? Uint8Array.of(value ? 1 : 0) : value);
}
