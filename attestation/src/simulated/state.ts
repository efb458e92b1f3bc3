/**
 * The state of one simulated secure processor: its secrets, and its own certificate authorities.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import * as z from 'zod/mini';
import { parseCa } from '../certificates/ca.ts';
import { AttestationError } from '../errors.ts';

const FORMAT = 'a3s-box-simulated-secure-processor';
const NOTICE = 'SIMULATED, NOT HARDWARE: nothing that these keys sign protects anything.';

const base64 = z.base64().check(z.maxLength(8192));
const hexOf = (bytes: number) => z.string().check(z.regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`)));

const authority = z.strictObject({
  /** PKCS #8, DER. */
  key: base64,
  /** X.509, DER. */
  certificate: base64,
});

const stateSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(1),
  notice: z.literal(NOTICE),
  createdAt: z.iso.datetime(),
  /** What a real chip has in its fuses. */
  chip: z.strictObject({ id: hexOf(64), secret: hexOf(32) }),
  ark: authority,
  ask: authority,
  asvk: authority,
});

/** The state as it is kept: JSON, with private keys. */
export type SimulatedState = z.infer<typeof stateSchema>;

/** An authority that can sign. */
export interface Authority {
  readonly privateKey: KeyObject;
  /** DER. */
  readonly certificate: Uint8Array;
  /** 20 bytes, hexadecimal. */
  readonly subjectKeyId: string;
}

/** A state with its keys ready for use. */
export interface OpenedState {
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly chip: Chip;
  readonly ark: Authority;
  readonly ask: Authority;
  readonly asvk: Authority;
}

/** The identity of a chip. */
export interface Chip {
  /** 64 bytes. */
  readonly id: Uint8Array;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** The state of a processor with these parts. */
export function composeState(parts: {
  createdAt: Date;
  chip: SimulatedState['chip'];
  ark: SimulatedState['ark'];
  ask: SimulatedState['ask'];
  asvk: SimulatedState['asvk'];
}): SimulatedState {
  const { createdAt, ...rest } = parts;
  const head = { format: FORMAT, version: 1, notice: NOTICE } as const;
  return { ...head, createdAt: createdAt.toISOString(), ...rest };
}

/**
 * Reads a state: strictly of this format and version, with keys that fit their certificates.
 *
 * @throws {AttestationError} `simulated-state`.
 */
export function openState(state: unknown): OpenedState {
  const read = stateSchema.safeParse(state);
  if (!read.success) {
    const places = read.error.issues.map(({ path }) => `/${path.join('/')}`);
    throw unusableState(`this is no state of version 1, by what stands at ${places.join(', ')}`);
  }
  const { createdAt, chip, ark, ask, asvk } = read.data;
  return {
    createdAt: Date.parse(createdAt),
    chip: { id: Buffer.from(chip.id, 'hex'), secret: Buffer.from(chip.secret, 'hex') },
    ark: openAuthority('ARK', ark),
    ask: openAuthority('ASK', ask),
    asvk: openAuthority('ASVK', asvk),
  };
}

function openAuthority(name: string, { key, certificate }: SimulatedState['ark']): Authority {
  const der = new Uint8Array(Buffer.from(certificate, 'base64'));
  let authority: Authority;
  let fits: boolean;
  try {
    const privateKey = createPrivateKey({
      key: Buffer.from(key, 'base64'),
      format: 'der',
      type: 'pkcs8',
    });
    fits = new X509Certificate(der).checkPrivateKey(privateKey);
    authority = { privateKey, certificate: der, subjectKeyId: parseCa(der).subjectKeyId };
  } catch (cause) {
    throw unusableState(`the ${name} has no readable key and certificate`, { cause });
  }
  if (!fits) throw unusableState(`the key of the ${name} is not that of its certificate`);
  return authority;
}

/** The refusal of a state, with what can be done. */
export function unusableState(
  reason: string,
  details: { readonly remedy?: string; readonly cause?: unknown } = {},
): AttestationError {
  return new AttestationError(
    'simulated-state',
    `Cannot use the state of the simulated secure processor: ${reason}.`,
    {
      remedy: 'Move the file away: a new one is made, and what the old one sealed stays sealed.',
      ...details,
    },
  );
}
