/**
 * A store in one file, for machines that reach no network.
 *
 * JSON, with certificates and lists in base64. A bundle is trusted no more than a network: its
 * contents are checked like answers of the key distribution service.
 *
 * @module
 */
import * as z from 'zod/mini';
import { AttestationError } from '../errors.ts';
import { crlOf, describeVcek, MAX_CERTIFICATE_BYTES, MAX_CRL_BYTES, vcekOf } from './answers.ts';
import { parseJson } from './parse-json.ts';
import type { EndorsementStore } from './store/store.ts';
import { PRODUCTS } from './vcek-request.ts';

/** The value of `format` in every bundle of this version. */
export const BUNDLE_FORMAT = 'a3s-box/endorsements/v1';

/** Enough for the VCEKs of 10 000 chips. */
const MAX_BUNDLE_BYTES = 32 * 1024 * 1024;
const MAX_VCEKS = 16_384;

const KINDS = ['VCEK', 'VLEK'] as const;

/** Base64 of at most so many bytes, in its one encoding. */
const base64 = (maxBytes: number) =>
  z.string().check(
    z.maxLength(Math.ceil(maxBytes / 3) * 4),
    z.refine((text) => Buffer.from(text, 'base64').toString('base64') === text, {
      error: 'must be base64',
    }),
  );

const Bundle = z.strictObject({
  format: z.literal(BUNDLE_FORMAT),
  vceks: z.array(base64(MAX_CERTIFICATE_BYTES)).check(z.maxLength(MAX_VCEKS)),
  crls: z
    .array(
      z.strictObject({
        kind: z.enum(KINDS),
        product: z.enum(['Milan', 'Genoa', 'Turin']),
        obtainedAt: z.iso.datetime(),
        der: base64(MAX_CRL_BYTES),
      }),
    )
    .check(z.maxLength(KINDS.length * PRODUCTS.length)),
});

/** The numbers of imported entries. */
export interface Imported {
  readonly vceks: number;
  readonly crls: number;
  /** Lists that stayed out, since the store has newer ones. */
  readonly olderCrls: number;
}

/**
 * Everything in a store, as the bytes of one file.
 *
 * @throws AttestationError as {@link EndorsementStore} does.
 */
export async function exportStore(store: EndorsementStore, now: Date): Promise<Uint8Array> {
  const vceks: string[] = [];
  for await (const der of store.vceks()) vceks.push(encode(der));
  const crls = [];
  for (const product of PRODUCTS) {
    for (const kind of KINDS) {
      const crl = await store.crl(kind, product, now);
      if (crl === undefined) continue;
      const obtainedAt = crl.obtainedAt.toISOString();
      crls.push({ kind, product, obtainedAt, der: encode(crl.der) });
    }
  }
  const text = JSON.stringify({ format: BUNDLE_FORMAT, vceks, crls }, null, 1);
  return new TextEncoder().encode(`${text}\n`);
}

/**
 * Imports a file of {@link exportStore} into a store.
 *
 * Nothing is put unless the whole file is well-formed and every list current, so a file that is
 * refused changes nothing. Lists count from when the exporting party got them.
 *
 * @throws AttestationError `store-malformed` if the bytes are no such file, as `verifyCrl` of the
 * store does, and as {@link EndorsementStore} does.
 */
export async function importStore(
  store: EndorsementStore,
  bytes: Uint8Array,
  now: Date,
): Promise<Imported> {
  const { vceks, crls } = parseBundle(bytes, now);
  for (const { der, product } of crls) await store.verifyCrl(der, product, now);
  for (const der of vceks) await store.putVcek(der);
  let olderCrls = 0;
  for (const { kind, product, ...crl } of crls) {
    if (!(await putUnlessOlder(() => store.putCrl(kind, product, crl, now)))) olderCrls += 1;
  }
  return { vceks: vceks.length, crls: crls.length - olderCrls, olderCrls };
}

async function putUnlessOlder(put: () => Promise<void>): Promise<boolean> {
  try {
    await put();
    return true;
  } catch (error) {
    if (error instanceof AttestationError && error.code === 'crl-rollback') return false;
    throw error;
  }
}

function parseBundle(bytes: Uint8Array, now: Date) {
  if (bytes.length > MAX_BUNDLE_BYTES) {
    throw malformed(`at most ${MAX_BUNDLE_BYTES} bytes`, `${bytes.length}`);
  }
  const result = Bundle.safeParse(parseJson(bytes));
  if (!result.success) throw malformed(BUNDLE_FORMAT, describe(result.error));
  const vceks = result.data.vceks.map(decode);
  const crls = result.data.crls.map(({ kind, product, obtainedAt, der }) => ({
    kind,
    product,
    der: decode(der),
    obtainedAt: new Date(obtainedAt),
  }));
  distinct(vceks.map((der) => describeVcek(inBundle(() => vcekOf(der)))));
  distinct(crls.map(({ kind, product }) => `${kind} list of ${product}`));
  for (const { der, product, obtainedAt } of crls) {
    inBundle(() => crlOf(der, product));
    if (obtainedAt > now) throw fromTheFuture(obtainedAt, now);
  }
  return { vceks, crls };
}

/** The first few faults. */
function describe({ issues }: z.core.$ZodError): string {
  const places = issues.slice(0, 5).map(({ code, path }) => `${code} at /${path.join('/')}`);
  return places.join(', ').slice(0, 500);
}

function distinct(names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw malformed('each endorsement once', `twice: ${name}`);
    seen.add(name);
  }
}

function inBundle<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    const { expected, message } = cause as AttestationError;
    throw malformed(expected, message, cause);
  }
}

function malformed(expected: string | undefined, found: string, cause?: unknown): AttestationError {
  return new AttestationError(
    'store-malformed',
    'Cannot import the endorsements: the file is not an exported store.',
    { expected, found, remedy: 'Export it again.', cause },
  );
}

/** Either clock may be wrong: a list that counts from later than now would stay fresh too long. */
function fromTheFuture(obtainedAt: Date, now: Date): AttestationError {
  return new AttestationError(
    'store-malformed',
    'Cannot import the endorsements: a list in them was got after the time of this machine.',
    {
      expected: `lists got by ${now.toISOString()}`,
      found: `one got at ${obtainedAt.toISOString()}`,
      remedy: 'Check the clock of this machine, and that of the one that exported them.',
    },
  );
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function decode(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
