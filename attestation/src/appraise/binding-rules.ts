/**
 * A policy's checks of the data that binds a report to a configuration and to a challenge.
 *
 * @module
 */
import { constantTimeEqual } from './constant-time.ts';
import { demand, type Judgement, type Rule, skip } from './judgement.ts';

const ANY = 'any-explicit';

const NO_HOST_DATA = '00'.repeat(32);

export const hostData: Rule = ({ claims, policy, engine }) => {
  if (engine === 'qemu') {
    return bound(claims.hostData, [policy.hostData], 'the policy says no hostData');
  }
  if (claims.hostData !== NO_HOST_DATA) return demand(false, NO_HOST_DATA, claims.hostData);
  return skip('zero: libkrun sets none', claims.hostData);
};

/** The agent puts the launch spec into REPORT_DATA, where the host cannot launch with it. */
export const launchSpec: Rule = ({ policy, engine, specDigest }) => {
  const actual = specDigest ?? 'none that REPORT_DATA is over';
  if (engine === 'qemu') return skip('HOST_DATA: the guest is not one of libkrun', actual);
  return bound(actual, [policy.hostData], 'the policy says no hostData');
};

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
