/**
 * A policy's checks of the signing key and of the chip.
 *
 * @module
 */
import { VULNERABLE_CHIPS } from '@a3s-box/policies/known-vulnerable';
import type { Claims } from '../verify/verified-claims.ts';
import { demand, NOT_ASKED, oneOf, type Rule, skip } from './judgement.ts';

export const signingKey: Rule = ({ claims, policy }) =>
  demand(
    policy.signingKeys.includes(claims.keyInfo.signingKey),
    oneOf(policy.signingKeys, 'the policy allows no signing key'),
    claims.keyInfo.signingKey,
  );

export const cspId: Rule = ({ claims, policy }) => {
  const { kind, cspId: actual } = claims.endorsement;
  if (kind === 'VCEK') return skip('any: a VCEK is of no provider', 'VCEK');
  return demand(
    actual !== null && policy.cspIds.includes(actual),
    oneOf(policy.cspIds, 'the policy allows no provider'),
    actual ?? 'no CSP_ID',
  );
};

export const chipMasked: Rule = ({ claims, policy }) => {
  const masked = claims.chipMasked || claims.keyInfo.maskChipKey;
  const actual = masked ? 'masked' : 'reported';
  if (policy.allowMaskedChip) return skip('any: the policy allows a masked chip', actual);
  return demand(!masked, 'reported', actual);
};

/** CHIP_ID, and on Turin the shorter HWID, in bytes of two digits. */
const CHIP_ID_DIGITS = 128;

/**
 * The identifiers of the chip: from its report, and from its VCEK, which names it even where the
 * report is masked.
 *
 * An attacker with the keys of a denied chip may sign a report that masks it.
 */
function chipIds({ chipId, chipMasked: masked, endorsement }: Claims): readonly string[] {
  const reported = masked ? [] : [chipId];
  const { hwid } = endorsement;
  return hwid === null ? reported : [...new Set([...reported, hwid.padEnd(CHIP_ID_DIGITS, '0')])];
}

export const chipAllow: Rule = ({ claims, policy }) => {
  const ids = chipIds(claims);
  if (policy.chipAllow === undefined) return skip(NOT_ASKED, chips(ids));
  const allowed = new Set(policy.chipAllow);
  return demand(
    ids.length > 0 && ids.every((id) => allowed.has(id)),
    oneOf(policy.chipAllow, 'the policy allows no chip'),
    chips(ids),
  );
};

/**
 * A policy that denies chips of its own needs to know the chip. None of the chips that every policy
 * denies has a VLEK, so the check `chip-masked` decides about a VLEK-signed report that masks its
 * chip.
 */
export const chipDeny: Rule = ({ claims, policy }) => {
  const ids = chipIds(claims);
  const own = policy.chipDeny.some((chip) => !VULNERABLE_CHIPS.includes(chip));
  if (!own && ids.length === 0) return skip('any: the report names no chip', chips(ids));
  if (policy.chipDeny.length === 0) return skip(NOT_ASKED, chips(ids));
  const denied = new Set(policy.chipDeny);
  return demand(
    ids.length > 0 && !ids.some((id) => denied.has(id)),
    `a reported chip, and none of ${denied.size} denied`,
    chips(ids),
  );
};

function chips(ids: readonly string[]): string {
  return ids.length === 0 ? 'masked' : ids.join(', ');
}
