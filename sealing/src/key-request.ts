/**
 * What a guest asks of its secure processor for a sealing key: MSG_KEY_REQ of the SEV-SNP firmware
 * ABI (AMD 56860, section 7.2), as far as sealing uses it.
 *
 * @module
 */

/** GUEST_FIELD_SELECT (AMD 56860, MSG_KEY_REQ): what the firmware mixes into a key, by its bit. */
export const GUEST_FIELDS = {
  /** Bit 0. POLICY of the launch: a debug guest, say, gets other keys. */
  guestPolicy: 1n << 0n,
  /** Bit 1. IMAGE_ID of the ID block; zero without one. */
  imageId: 1n << 1n,
  /** Bit 2. FAMILY_ID of the ID block; zero without one. */
  familyId: 1n << 2n,
  /** Bit 3. MEASUREMENT: the launch digest. */
  measurement: 1n << 3n,
  /** Bit 4. GUEST_SVN of the request, which is at most that of the ID block. */
  guestSvn: 1n << 4n,
  /** Bit 5. TCB_VERSION of the request, which is at most the committed TCB. */
  tcbVersion: 1n << 5n,
} as const;

const { guestPolicy, imageId, familyId, measurement, guestSvn, tcbVersion } = GUEST_FIELDS;

/** Which guests get the key of an envelope. */
export type SealingPolicy = 'exact' | 'upgradable';

/**
 * The fields of each policy.
 *
 * `upgradable` leaves out what an upgrade changes: launch digest and image id. It mixes the TCB in
 * nevertheless: firmware gives the keys of an older TCB on request, and a chip's root key without
 * one would change with each upgrade of it.
 */
export const POLICY_FIELDS: Readonly<Record<SealingPolicy, bigint>> = {
  exact: guestPolicy | imageId | familyId | measurement | guestSvn | tcbVersion,
  upgradable: guestPolicy | familyId | guestSvn | tcbVersion,
};

/** The fields of MSG_KEY_REQ for a sealing key. */
export interface SealingKeyRequest {
  /** ROOT_KEY_SELECT: always the key of the chip, since the VMRK is new at each launch. */
  readonly rootKeySelect: 0;
  /** GUEST_FIELD_SELECT: of {@link POLICY_FIELDS}. */
  readonly guestFieldSelect: bigint;
  /** VMPL: mixed in always. The agent runs at 0, and nothing else gets its keys. */
  readonly vmpl: 0;
  /** GUEST_SVN: the least that a guest must have to get the key. */
  readonly guestSvn: number;
  /** TCB_VERSION: 8 bytes, little-endian. Firmware below it does not give the key. */
  readonly tcbVersion: bigint;
}

/** The request for the key of an envelope, as its header has it. */
export function keyRequestOf(header: {
  readonly policy: SealingPolicy;
  readonly guestSvn: number;
  readonly tcbVersion: bigint;
}): SealingKeyRequest {
  return {
    rootKeySelect: 0,
    guestFieldSelect: POLICY_FIELDS[header.policy],
    vmpl: 0,
    guestSvn: header.guestSvn,
    tcbVersion: header.tcbVersion,
  };
}
