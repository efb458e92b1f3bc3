/**
 * Reads what the server has computed that a confidential box will be.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { hostDataOf } from '@a3s-box/policies/host-data';
import type { Measured } from '../../../docker-api/a3s/launch.ts';
import { A3sError } from '../../../errors.ts';
import { isObject, type Received, stringOf } from '../../client/json.ts';
import type { Measurement } from '../../output/measurement-text.ts';
import { attestationPolicyText } from '../../output/policy-yaml.ts';

/**
 * @param asked whether the box is to be privileged, and whether a policy of the caller excepts what
 * is known to be vulnerable: no server decides that the new policy allows either
 * @throws A3sError for an answer in which the spec does not match HOST_DATA, or the request
 */
export function readMeasurement(
  tee: Measurement['tee'],
  answer: Received<Measured>,
  asked: { readonly privileged: boolean; readonly excepted: boolean },
): Measurement {
  const { launch } = answer;
  const measurement = stringOf(answer.measurement);
  const hostData = stringOf(answer.hostData);
  const spec = stringOf(answer.spec);
  const { privileged } = asked;
  const excepted = exceptedBy(answer.policy);
  const digest = createHash('sha256').update(spec).digest('hex');
  if (
    !/^[0-9a-f]{96}$/.test(measurement) ||
    hostData !== hostDataOf(digest, privileged) ||
    isPrivileged(spec) !== privileged ||
    (excepted && !asked.excepted) ||
    !isObject(launch)
  ) {
    throw new A3sError('internal', 'Cannot measure the box: the answer of the server is unusable', {
      remedy: 'Stop the server, so that one of this version is started, and measure again.',
    });
  }
  const simulated = tee === 'simulated';
  const policy = attestationPolicyText({ tee, measurement, hostData, excepted, privileged });
  return { tee, simulated, measurement, hostData, spec, launch, policy };
}

function exceptedBy(policy: unknown): boolean {
  return isObject(policy) && policy['allowKnownVulnerable'] !== undefined;
}

/** Undefined for what is no launch spec. */
function isPrivileged(text: string): boolean | undefined {
  try {
    const spec: unknown = JSON.parse(text);
    if (!isObject(spec)) return undefined;
    return isObject(spec['confinement']) && spec['confinement']['privileged'] === true;
  } catch {
    return undefined;
  }
}
