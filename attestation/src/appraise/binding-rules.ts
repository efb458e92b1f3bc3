/**
 * A policy's checks of the data that binds a report to a configuration and to a challenge.
 *
 * @module
 */
import { constantTimeEqual } from './constant-time.ts';
import { demand, type Judgement, type Rule, skip } from './judgement.ts';

const ANY = 'any-explicit';

export const hostData: Rule = ({ claims, policy }) =>
  bound(claims.hostData, [policy.hostData], 'the policy says no hostData');

/** Both the policy and the caller may expect a value; then both are required. */
export const reportData: Rule = ({ claims, policy, reportData: asked }) =>
  bound(
    claims.reportData,
    [policy.reportData, asked],
    'neither the policy nor the caller says reportData',
  );

function bound(
  actual: string,
  said: readonly (string | undefined)[],
  nothingSaid: string,
): Judgement {
  const wanted = said.filter((value) => value !== undefined);
  if (wanted.length === 0) return demand(false, `none: ${nothingSaid}`, actual);
  const exact = wanted.filter((value) => value !== ANY);
  if (exact.length === 0) return skip(`any: the policy says ${ANY}`, actual);
  const differing = exact.filter((value) => !constantTimeEqual(actual, value));
  return demand(differing.length === 0, [...new Set(exact)].join(' and '), actual);
}
