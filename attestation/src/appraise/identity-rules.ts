/**
 * A policy's checks of the running guest: its measurement, and the ID block of its launch.
 *
 * @module
 */
import { constantTimeIncludes } from './constant-time.ts';
import { demand, type Judgement, NOT_ASKED, oneOf, type Rule, skip } from './judgement.ts';

export const engine: Rule = ({ engine: actual, policy }) =>
  demand(
    policy.engines.includes(actual),
    oneOf(policy.engines, 'the policy allows no engine'),
    actual,
  );

export const measurement: Rule = ({ claims, policy, engine: launchedBy }) => {
  if (launchedBy === 'krun') {
    return demand(true, oneOf(policy.krunMeasurements, ''), claims.measurement);
  }
  // The holder of an allowed ID key has then chosen the measurement; `id-key` looks at that.
  if (policy.measurements.length === 0 && policy.idKeyDigests !== undefined) {
    return skip('any: the policy goes by the ID key', claims.measurement);
  }
  return demand(
    constantTimeIncludes(policy.measurements, claims.measurement),
    oneOf(policy.measurements, 'the policy allows no measurement'),
    claims.measurement,
  );
};

/** The digests are zero where there is no ID block, or no author key. */
const ZERO_DIGEST = '0'.repeat(96);

export const idBlock: Rule = ({ claims, policy }) => {
  const present = claims.idKeyDigest !== ZERO_DIGEST;
  const actual = present ? 'an ID block' : 'no ID block';
  if (!policy.requireIdBlock) return skip(NOT_ASKED, actual);
  return demand(present, 'an ID block', actual);
};

export const idKey: Rule = ({ claims, policy }) =>
  allowedKey(policy.idKeyDigests, claims.idKeyDigest, claims.idKeyDigest !== ZERO_DIGEST);

export const authorKey: Rule = ({ claims, policy }) =>
  allowedKey(policy.authorKeyDigests, claims.authorKeyDigest, claims.keyInfo.authorKeyEn);

function allowedKey(
  digests: readonly string[] | undefined,
  digest: string,
  present: boolean,
): Judgement {
  const actual = present ? digest : 'no key';
  if (digests === undefined) return skip(NOT_ASKED, actual);
  const holds = present && digests.includes(digest);
  return demand(holds, oneOf(digests, 'the policy allows no key'), actual);
}

export const guestSvn: Rule = ({ claims, policy }) =>
  demand(
    claims.guestSvn >= policy.minGuestSvn,
    `at least ${policy.minGuestSvn}`,
    `${claims.guestSvn}`,
  );

export const familyId: Rule = ({ claims, policy }) => allowedId(policy.familyIds, claims.familyId);

export const imageId: Rule = ({ claims, policy }) => allowedId(policy.imageIds, claims.imageId);

function allowedId(ids: readonly string[] | undefined, id: string): Judgement {
  if (ids === undefined) return skip(NOT_ASKED, id);
  return demand(ids.includes(id), oneOf(ids, 'the policy allows none'), id);
}
