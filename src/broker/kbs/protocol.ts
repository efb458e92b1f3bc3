/**
 * The documents of KBS protocol 0.4, as Trustee's clients send them.
 *
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { canonicalJson } from '../../canonical-json.ts';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import { TEES } from '../release/evidence.ts';

/** Of those that KBS names, in the order in which they are chosen. */
const HASH_ALGORITHMS = ['sha384', 'sha512', 'sha256'] as const;
export type HashAlgorithm = (typeof HASH_ALGORITHMS)[number];

const REPORT_DATA_BYTES = 64;
/** What clients without other devices send. */
const NO_DEVICES: readonly string[] = ['', '{}'];

const base64url = z.string().regex(/^[A-Za-z0-9_-]{1,1400}$/);

const teeKey = z.discriminatedUnion('kty', [
  z.strictObject({
    kty: z.literal('EC'),
    crv: z.enum(['P-256', 'P-521']),
    alg: z.literal('ECDH-ES+A256KW'),
    x: base64url,
    y: base64url,
  }),
  z.strictObject({
    kty: z.literal('RSA'),
    alg: z.literal('RSA-OAEP-256'),
    n: base64url,
    e: base64url,
  }),
]);

const authRequest = z.strictObject({
  version: z.string().regex(/^0\.4\.\d{1,3}$/),
  tee: z.enum(TEES),
  // Older clients send text.
  'extra-params': z.optional(z.unknown()),
});

const attestRequest = z.strictObject({
  'init-data': z.nullish(
    z.strictObject({ format: z.enum(['toml', 'json']), body: z.string().max(65_536) }),
  ),
  'runtime-data': z.strictObject({ nonce: z.string().max(128), 'tee-pubkey': teeKey }),
  'tee-evidence': z.strictObject({
    primary_evidence: z.unknown(),
    additional_evidence: z.string().refine((text) => NO_DEVICES.includes(text)),
  }),
});

export type AuthRequest = z.infer<typeof authRequest>;
export type AttestRequest = z.infer<typeof attestRequest>;

/** @throws A3sError `kbs-request` */
export function parseAuth(input: unknown): AuthRequest {
  return parsed(authRequest, input);
}

/** @throws A3sError `kbs-request` */
export function parseAttest(input: unknown): AttestRequest {
  return parsed(attestRequest, input);
}

/**
 * The hash that makes REPORT_DATA: of those that the client names, or SHA-384 where it names none.
 *
 * @throws A3sError `kbs-request` where it names others alone
 */
export function chooseHash({ 'extra-params': params }: AuthRequest): HashAlgorithm {
  const name = 'supported-hash-algorithms';
  const listed =
    typeof params === 'object' && params !== null ? Reflect.get(params, name) : undefined;
  if (!Array.isArray(listed)) return 'sha384';
  const chosen = HASH_ALGORITHMS.find((each) => listed.includes(each));
  if (chosen === undefined) throw malformed();
  return chosen;
}

/** REPORT_DATA that binds the guest's key to the nonce: a hash, and zeros behind it. */
export function reportDataOf(
  { 'runtime-data': runtime, 'tee-evidence': evidence }: AttestRequest,
  algorithm: HashAlgorithm,
): Buffer {
  const bound = { ...runtime, 'additional-evidence': evidence.additional_evidence };
  const data = Buffer.alloc(REPORT_DATA_BYTES);
  createHash(algorithm).update(canonicalJson(bound)).digest().copy(data);
  return data;
}

/** HOST_DATA of a guest with this init-data, in hexadecimal: never cut, never padded. */
export function hostDataOf(initData: string): string {
  return createHash('sha256').update(initData).digest('hex');
}

export function isSame(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return left !== undefined && right !== undefined && timingSafeEqual(left, right);
}

function parsed<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const { data, success } = narrow(schema, input);
  if (!success) throw malformed();
  return data as z.output<Schema>;
}

function malformed(): A3sError {
  return new A3sError('kbs-request', 'The request is not one of KBS protocol 0.4');
}
