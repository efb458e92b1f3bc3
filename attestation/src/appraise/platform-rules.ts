/**
 * A policy's checks of the platform: PLATFORM_INFO, and the matching bits of the guest policy.
 *
 * Firmware cannot make a report with a guest policy's bit but without the platform's. A platform's
 * bit without the guest policy's may change before the next report.
 *
 * @module
 */
import type { Claims } from '../verify/verified-claims.ts';
import { onOff } from './guest-rules.ts';
import { demand, NOT_ASKED, type Rule, skip } from './judgement.ts';

export const smt: Rule = ({ claims, policy }) => {
  const actual = both('SMT', claims.policy.smt, claims.platformInfo.smtEn);
  if (policy.allowSmt) return skip('any: the policy allows SMT', actual);
  const off = !claims.policy.smt && !claims.platformInfo.smtEn;
  return demand(off, both('SMT', false, false), actual);
};

export const aliasCheck: Rule = ({ claims, policy }) => {
  // A version 2 report has no such bit: a set bit there means nothing.
  const complete = claims.version >= 3 && claims.platformInfo.aliasCheckComplete;
  const actual = `alias check ${complete ? 'complete' : 'not reported'}`;
  if (!policy.requireAliasCheck) return skip(NOT_ASKED, actual);
  return demand(complete, 'alias check complete', actual);
};

export const ciphertextHiding: Rule = ({ claims, policy }) => {
  const asked = claims.policy.ciphertextHidingDram;
  const enabled = claims.platformInfo.ciphertextHidingDramEn;
  const actual = both('ciphertext hiding', asked, enabled);
  if (!policy.requireCiphertextHiding) return skip(NOT_ASKED, actual);
  return demand(asked && enabled, both('ciphertext hiding', true, true), actual);
};

export const rapl: Rule = ({ claims, policy }) => {
  const asked = claims.policy.raplDis;
  const disabled = claims.platformInfo.raplDis;
  const actual = both('RAPL', !asked, !disabled);
  if (!policy.requireRaplDisabled) return skip(NOT_ASKED, actual);
  return demand(asked && disabled, both('RAPL', false, false), actual);
};

export const ecc: Rule = ({ claims, policy }) => {
  const actual = `ECC ${onOff(claims.platformInfo.eccEn)}`;
  if (!policy.requireEcc) return skip(NOT_ASKED, actual);
  return demand(claims.platformInfo.eccEn, 'ECC on', actual);
};

export const tio: Rule = ({ claims, policy }) => {
  const actual = `TIO ${onOff(claims.platformInfo.tioEn)}`;
  if (policy.allowTio) return skip('any: the policy allows TIO', actual);
  return demand(!claims.platformInfo.tioEn, 'TIO off', actual);
};

export const iommuWriteSafe: Rule = ({ claims, policy }) => {
  const reported = claims.product === 'Turin';
  const on = reported && claims.platformInfo.iommuWriteSafe;
  const actual = `IOMMU write-safe ${reported ? onOff(on) : `not reported by ${claims.product}`}`;
  if (!policy.requireIommuWriteSafe) return skip(NOT_ASKED, actual);
  return demand(on, 'IOMMU write-safe on, which only Turin reports', actual);
};

export const platformInfo: Rule = ({ claims, policy }) => {
  const unknown = claims.platformInfo.raw & ~knownBits(claims);
  const masked = policy.allowUnknownPlatformInfo;
  return demand(
    (unknown & ~masked) === 0n,
    masked === 0n ? 'no unknown bit' : `no unknown bit outside of ${bits(masked)}`,
    unknown === 0n ? 'no unknown bit' : `unknown bits ${bits(unknown)}`,
  );
};

/** Bit 5, the alias check, came with version 3; bits 6 and 7 are those of Turin. */
function knownBits({ version, product }: Claims): bigint {
  if (version < 3) return 0x1fn;
  return product === 'Turin' ? 0xffn : 0x3fn;
}

function bits(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function both(what: string, guest: boolean, platform: boolean): string {
  return `${what} ${onOff(guest)} by guest policy, ${onOff(platform)} on platform`;
}
