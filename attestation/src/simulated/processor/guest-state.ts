/**
 * Saves a launched guest, so that another process can answer for it later.
 *
 * @module
 */
import * as z from 'zod/mini';
import { AttestationError } from '../../errors.ts';
import { toHex } from '../../hex.ts';
import type { GuestState } from './guest-claims.ts';
import { acceptedPolicy, type Platform } from './launch-guest.ts';

const FORMAT = 'a3s-box-simulated-guest';
const NOTICE = 'SIMULATED, NOT HARDWARE: nothing protects this guest.';

const hexOf = (bytes: number) => z.string().check(z.regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`)));

const schema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(1),
  notice: z.literal(NOTICE),
  /** CHIP_ID of the processor that launched it: no other answers for it. */
  chipId: hexOf(64),
  measurement: hexOf(48),
  hostData: hexOf(32),
  policy: z.string().check(z.regex(/^0x[1-9a-f][0-9a-f]{0,15}$/)),
  familyId: hexOf(16),
  imageId: hexOf(16),
  guestSvn: z.int().check(z.gte(0), z.lte(0xffff_ffff)),
  idKeyDigest: hexOf(48),
  authorKeyDigest: hexOf(48),
  authorKeyEn: z.boolean(),
  reportId: hexOf(32),
  /** The guest's root key: a secret. */
  vmrk: hexOf(32),
});

/**
 * A launched guest as JSON. It contains the root key, from which its holder can derive the guest's
 * keys.
 *
 * {@link SimulatedSecureProcessor.resume} takes it.
 */
export type SimulatedGuestState = z.infer<typeof schema>;

/** @param chipId of the processor, 64 bytes */
export function keepGuest(guest: GuestState, chipId: Uint8Array): SimulatedGuestState {
  const { policy, vmrk, ...rest } = guest;
  return {
    format: FORMAT,
    version: 1,
    notice: NOTICE,
    chipId: toHex(chipId),
    ...rest,
    policy: `0x${policy.raw.toString(16)}`,
    vmrk: toHex(vmrk),
  };
}

/**
 * Reads a result of {@link keepGuest} strictly.
 *
 * @throws {AttestationError} `simulated-state` for anything else, and for a guest of another chip;
 *   `simulated-request` for a policy that the platform does not meet.
 */
export function openGuest(state: unknown, chipId: Uint8Array, platform: Platform): GuestState {
  const read = z.safeParse(schema, state);
  if (!read.success) {
    const places = read.error.issues.map(({ path }) => `/${path.join('/')}`);
    throw unusableGuest(`this is no guest of version 1, by what stands at ${places.join(', ')}`);
  }
  const { format: _, version: __, notice: ___, chipId: chip, policy, vmrk, ...rest } = read.data;
  if (chip !== toHex(chipId)) throw unusableGuest('another chip launched it');
  return {
    ...rest,
    policy: acceptedPolicy(BigInt(policy), platform),
    vmrk: new Uint8Array(Buffer.from(vmrk, 'hex')),
  };
}

function unusableGuest(reason: string): AttestationError {
  return new AttestationError(
    'simulated-state',
    `Cannot go on with a guest of the simulated secure processor: ${reason}.`,
    { remedy: 'Launch the guest anew.' },
  );
}
