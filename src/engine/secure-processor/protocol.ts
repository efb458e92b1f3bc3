/**
 * The messages between a guest and its simulated secure processor: one JSON object a line.
 *
 * The guest is hostile. A line that is not a request with an id is ignored, since there is no id to
 * answer.
 *
 * @module
 */
import * as z from 'zod';
import { narrow } from '../../narrow.ts';

/** The longest line, without its newline. */
export const MAX_LINE = 64 * 1024;

/** The fields that can go into a derived key, in the order of the bits of GUEST_FIELD_SELECT. */
export const KEY_FIELDS = [
  'policy',
  'image-id',
  'family-id',
  'measurement',
  'guest-svn',
  'tcb',
] as const;

const id = z.string().regex(/^[0-9a-f]{16}$/);
const LARGEST_U64 = String(0xffff_ffff_ffff_ffffn);

const Report = z.strictObject({
  id,
  op: z.literal('report'),
  /** REPORT_DATA: 64 bytes, hexadecimal. */
  reportData: z.string().regex(/^[0-9a-f]{128}$/),
});

const DeriveKey = z.strictObject({
  id,
  op: z.literal('derive-key'),
  rootKey: z.enum(['VCEK', 'VMRK']),
  fields: z
    .array(z.enum(KEY_FIELDS))
    .max(KEY_FIELDS.length)
    .refine((fields) => new Set(fields).size === fields.length, { error: 'must be distinct' }),
  vmpl: z.int().min(0).max(3),
  guestSvn: z.int().min(0).max(0xffff_ffff),
  /** TCB_VERSION, decimal: JSON's numbers do not hold 64 bits. */
  tcb: z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,19})$/)
    // Checked as text: a check runs even when the one before it failed, so the value may not be a
    // number.
    .refine((tcb) => tcb.length < LARGEST_U64.length || tcb <= LARGEST_U64, {
      error: 'must have 64 bits',
    }),
});

const Request = z.discriminatedUnion('op', [Report, DeriveKey]);
const Addressed = z.object({ id });

export type DeriveKeyRequest = z.infer<typeof DeriveKey>;
export type ProcessorRequest = z.infer<typeof Request>;

/**
 * `malformed`: not a request of this protocol; `refused`: firmware would refuse it; `unavailable`:
 * not the guest's fault.
 */
export type ProcessorErrorCode = 'malformed' | 'refused' | 'unavailable';

export interface ProcessorFailure {
  readonly id: string;
  readonly error: { readonly code: ProcessorErrorCode; readonly message: string };
}

export type ProcessorAnswer =
  | { readonly id: string; readonly report: string; readonly certificates: string }
  | { readonly id: string; readonly key: string }
  | ProcessorFailure;

/**
 * @returns the request; an answer, where the line is not a valid request; undefined where there is
 * no id to answer
 */
export function readRequest(line: Uint8Array): ProcessorRequest | ProcessorFailure | undefined {
  const value = parse(line);
  const request = narrow(Request, value);
  if (request.success) return request.data;
  const addressed = narrow(Addressed, value);
  if (!addressed.success) return undefined;
  const places = request.error.issues.slice(0, 4).map(({ path }) => `/${path.join('/')}`);
  const message = `no request of this protocol, by what stands at ${places.join(', ')}`;
  return { id: addressed.data.id, error: { code: 'malformed', message } };
}

function parse(line: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
  } catch {
    return undefined;
  }
}
