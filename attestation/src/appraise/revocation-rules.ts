/**
 * A policy's checks of the revocation list, whose validity has been verified.
 *
 * @module
 */
import { demand, NOT_ASKED, type Rule, skip } from './judgement.ts';

const NONE = 'no revocation list';
const DAY = 86_400_000;

/** A list that was got during a verification is fresh, though its time is later. */
const CLOCK_SKEW = 300_000;

export const crlRequired: Rule = ({ claims, policy }) => {
  const { revocation } = claims;
  const actual = revocation === null ? NONE : `number ${revocation.number}`;
  if (!policy.crl.required) return skip(NOT_ASKED, actual);
  return demand(revocation !== null, 'a revocation list', actual);
};

export const crlAge: Rule = ({ claims, policy }) => {
  const { revocation, verifiedAt } = claims;
  const { maxAgeDays } = policy.crl;
  if (revocation === null) return skip('any: there is none', NONE);
  const { obtainedAt } = revocation;
  const got = obtainedAt === null ? 'unknown when it was got' : `got at ${obtainedAt}`;
  const actual = `${got}, verified at ${verifiedAt}`;
  if (maxAgeDays === null) return skip(NOT_ASKED, actual);
  // Without a readable time the age is unknown, and an unknown age is refused.
  const age = Date.parse(verifiedAt) - Date.parse(obtainedAt ?? '');
  return demand(
    age >= -CLOCK_SKEW && age <= maxAgeDays * DAY,
    `got at most ${maxAgeDays} days before`,
    actual,
  );
};

export const crlNumber: Rule = ({ claims, policy }) => {
  const { revocation, product } = claims;
  const minimum = policy.crl.minNumber[product];
  if (revocation === null) return skip('any: there is none', NONE);
  const actual = `number ${revocation.number}`;
  if (minimum === undefined) return skip(NOT_ASKED, actual);
  return demand(revocation.number >= minimum, `number ${minimum} or later`, actual);
};
